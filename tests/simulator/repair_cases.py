"""The corners of the verb repair, for a little shop on the shim."""

from typing import Any

from allocator.repairs import RecordRepair, Repair, SkuRepair, Stray
from tests.allocator import raw
from tests.allocator.fixtures import CUP, TEE, hold, order

INDEXES = ("deadlines", "owners", "waiting", "slots")


def repairs(shop: Any) -> None:
    """Every kind of thing is broken and put right, twice, and refused when it is not as it was inspected."""
    shop.receive(9)
    shop.do(shop.allocator.hold(hold("h1", 1, owner="ann")))
    shop.do(shop.allocator.hold(hold("h2", 1)))
    shop.do(shop.allocator.release("h2"))
    shop.do(shop.allocator.order(order("1", (TEE, 2), channel="amazon")))
    state, held, ended, owing = (
        read(shop, *where) for where in (("stock", CUP), ("holds", "h1"), ("holds", "h2"), ("orders", "amazon:1"))
    )
    moves = [("oslo", "on_hand", "", 1), ("oslo", "unavailable", "lost", 1), ("", "conflict", "", 1)]
    moves += [("rome", "in_transit", "T1", 1), ("oslo", "quota", "shop", 1), ("", "backordered", "", 1)]
    records = [RecordRepair("hold", "h1", held, held), RecordRepair("hold", "h2", ended, ended)]
    records += [RecordRepair("order", "amazon:1", owing, owing), RecordRepair("field", "none", b"", b"")]
    records += [RecordRepair("field", "sku:GHOST", b"", b"x"), RecordRepair("answer", "none", b"", b"x")]
    for key, members in strays(shop).items():
        for number, member in enumerate(members):
            repair(shop, Repair(strays=[Stray(key, member)]), f"{key}{number}")
    repair(shop, Repair([SkuRepair(CUP, state, state, moves)], records), "all")
    repair(shop, Repair([SkuRepair(CUP, state, state, moves)], records), "all")
    repair(shop, Repair([SkuRepair(CUP, state, state)]), "stale sku")
    repair(shop, Repair(records=[RecordRepair("hold", "h1", b"other", held)]), "stale hold")
    repair(shop, Repair([SkuRepair(CUP, state, state)] * 2), "twice")
    for nonsense in ({"bucket": "shelf"}, {"state": "?"}, {"kind": "hold", "record": ""}, {"epoch": "another"}):
        shop.call("repair", **nonsense)


def read(shop: Any, key: str, field: str) -> bytes:
    return shop.store.command("HGET", f"{{main}}:{key}", field)


def repair(shop: Any, wanted: Repair, op: str) -> None:
    shop.do(shop.allocator.repair(wanted, op=op, why="seen"))


def strays(shop: Any) -> dict[str, list[bytes]]:
    """Members of each index, one that belongs there and some that do not."""
    command = shop.store.command
    [waiting, *_] = command("ZRANGE", "{main}:waiting", "0", "-1")
    wrong = waiting.replace(b"amazon", b"nobody")
    command("ZADD", "{main}:deadlines", "5", "nobody")
    command("HSET", "{main}:owners", "shop:eve", "nobody")
    command("HSET", "{main}:owners", "shop:bob", "h1")
    for member in (wrong, waiting + b"x", b"?"):
        command("ZADD", "{main}:waiting", "0", member)
    shop.call("order", external_id="dated", units="1", terms=raw.terms())
    [slot, *_] = command("ZRANGE", "{main}:slots", "0", "-1")
    slots = [slot, slot + b"x", slot.replace(b"oslo", b"rome"), b"?"]
    for member in slots[1:]:
        command("ZADD", "{main}:slots", "0", member)
    queue = [waiting, wrong, waiting + b"x", b"?"]
    owners = [b"shop:ann", b"shop:eve", b"shop:bob", b"shop:none"]
    return dict(zip(INDEXES, ([b"h1", b"nobody"], owners, queue, slots), strict=True))
