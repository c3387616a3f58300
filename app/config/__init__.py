"""
What operators decide, mastered in SQL and compiled into Valkey.

    kinds      what there is: locations, channels, skus, listings, rules, zones, carriers
    engine     the one way to change it: staged in SQL, flipped in Valkey, then written; whoever comes next finishes it
    picture    the part of a config that a change needs to see, before and after
    judging    what each row of a change would do, and why not
    compiling  the fields that the scripts read, of what a change touches
    previewing, rolling_back, windows, busy
"""
