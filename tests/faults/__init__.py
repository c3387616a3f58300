"""
Real breakage: processes that die or freeze, wires that fail, disks that forget or are full, memory that ends.

A scenario (`scenario.py`) starts real processes (`places.py`), lets a crowd (`crowd.py`) work through doors
(`doors.py`) while something breaks, and has every promise judged afterwards (`judge.py`). Nothing is pretended: the
servers are killed, stopped and cut off.

As part of the tests every scenario runs once, in seconds. `make torture` repeats each ALLOT_TORTURE times, with
breakages of any length.
"""
