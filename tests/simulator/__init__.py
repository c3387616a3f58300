"""
A server in this process, for worlds by the thousand: the real Lua over data in memory, with virtual time and a disk.

    store = Store(seed)                                   the server: data, clock, disk
    network = Network(store, fate)                        what becomes of each call
    allocator = Allocator(SimulatedPipe(network), ...)    the real one
    VirtualLoop(passes).run(...), or drive(...)           asyncio without waiting, or without a loop

What differs from a server, beside where things lie in memory:
- Only what the scripts and the allocator's readers use is known; anything else stops the world with LuaError.
- Units and counters beyond 2^53 are unknown; so are members of one sorted set asked for by ZRANGEBYLEX that have
  different scores, which the server leaves open as well.
- Time stands still within a script, as on Valkey; on Redis 7.0 it goes on. Nothing expires, nothing is evicted, and
  memory is never full.
- HSCAN goes in the order in which fields came; ZSCAN gives all at once; XREAD does not wait.
- An error's text names the line, but not after a tail call of `redis.call`; cjson's errors have other words.
- Scripts may write beside the keys they declared, as on a single server; a cluster refuses that.

stamina draws the pauses between retries from `random` and measures them by the real clock: seed `random` for each
world, and let no world depend on how many retries fit into a time limit.
"""
