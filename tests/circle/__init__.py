"""
The circle under faults: five channels' sandboxes trade with the allocator in virtual time while things go wrong.

    buyers -> sandbox -> webhooks, polling -> orders -> ledger -> numbers -> push -> sandbox -> buyers

    world        one seed's world: a store, a database, two worker processes, the channels, their buyers
    shop         the seller: locations, channels, skus, listings, connections
    channel      one channel of a world: its sandbox and how the way to it is
    stalls       the sandboxes, each of which tells the judge what it was told to show
    ways         the way to a sandbox and back, on which most things go wrong
    processes    worker processes that do the real steps of `app.sync` and may die
    people       buyers, cashiers and the warehouse
    mischief     what goes wrong, and when
    hooks        where channels' messages arrive
    numbers      the right number of every listing at every moment, as the ledger has it
    judge        what must never be, and what is only counted
    resting      what must be true when all has come to rest
    report       a world's table
    planted      wrong versions of the code, each of which the circle must find

Everything between a buyer and the ledger is the service's own code; only the wires, the clock and the disk are ours.
`python -m tests.circle --hours 2 --seed 7` lives through one world and prints its report.
"""
