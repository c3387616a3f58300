"""
Counts: what an ERP, a warehouse system or a stocktaker says lies on a shelf, and what that means for ours.

SQL knows the history, so what a count means is decided here; the allocator only books the difference.
"""
