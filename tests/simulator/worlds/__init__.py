"""
Worlds by the thousand: callers, drains, an operator and everything that breaks, in virtual time and from one seed.

    World(stage, seed).run()      one world, from its first deed to the judgement
    command.py                    many of them on all processors: `allot simulate`
    planted.py                    bugs put into the real code, to see that worlds find them

What runs is the real code: the Lua, the allocator and its retries, the drain and its SQL, the rebuild, the check. Only
what lies between them is made here: the wire, the server's process and disk, the database's driver, clocks, chance.
"""
