"""
Real breakage: processes that die or freeze, wires that fail, disks that forget, turn bits over or are full, memory that
ends, databases and stores that are lost, replicas that lag.

A scenario (`scenario.py`) starts real processes (`places.py`), lets a crowd (`crowd.py`) work through doors
(`doors.py`) while something breaks, and has every promise judged afterwards (`judge.py`), in SQL too (`remembered.py`);
what a loss may take is what was told (`window.py`). Nothing is pretended: the servers are killed, stopped and cut off.

As part of the tests every scenario runs once, in seconds. `make torture` repeats each ALLOT_TORTURE times, with
breakages of any length.
"""
