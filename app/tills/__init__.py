"""
Tills: what has happened at them, heard late, twice and in any order, and the numbers they may sell.

Goods that have left a store are a fact, so little is refused. What is booked for an event is decided once, in SQL, and
then repeated as often as the event comes.
"""
