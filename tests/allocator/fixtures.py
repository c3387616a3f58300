"""The little shop all behaviour tests share, and the words they use to stock it, order from it and look into it."""

from itertools import count

import msgspec
from redis.asyncio import Redis

from allocator import (
    Allocator,
    Channel,
    ChannelLocation,
    Config,
    HoldRequest,
    Line,
    Location,
    OrderRequest,
    Pipe,
    Rule,
    SkuConfig,
    StockLine,
)
from allocator.balances import encode_state
from allocator.check import check
from allocator.records import Place, SkuState, decode_state
from allocator.remembering import History

CUP, TEE, MUG = "CUP", "TEE-M", "MUG"
EPOCH = "epoch-1"
NOW = 1_764_000_000_000
MINUTE = 60_000

NUMBERS = count(1)


def shelves(*codes: str, own: bool = False) -> list[ChannelLocation]:
    """A channel's locations in rank order."""
    return [ChannelLocation(code=code, own_shelf=own) for code in codes]


SHOP = Channel(code="shop", rank=2, locations=shelves("oslo", "rome", "bergen"))
AMAZON = Channel(code="amazon", kind="marketplace", rank=1, demand="firm", locations=shelves("oslo", "rome"))
TILL = Channel(code="till", kind="pos", rank=3, demand="gone", locations=shelves("bergen", own=True))
CONFIG = Config(
    locations=[Location(code="oslo"), Location(code="rome"), Location(code="bergen", kind="store")],
    channels=[SHOP, AMAZON, TILL],
    skus=[SkuConfig(sku=CUP, category="kitchen"), SkuConfig(sku=TEE), SkuConfig(sku=MUG, category="kitchen")],
)


async def new_allocator(
    redis: Redis, seller: str = "main", epoch: str = EPOCH, *, pipe: Pipe | None = None, history: History | None = None
) -> Allocator:
    """An allocator of its own on the same seller, as another process would have it."""
    allocator = Allocator(pipe or Pipe(redis), seller, epoch, history=history)
    allocator.now_ms = NOW
    await allocator.begin()
    await allocator.reload()
    return allocator


def with_channel(config: Config, code: str, **changes: object) -> Config:
    """The config with one channel changed."""
    channels = [msgspec.structs.replace(known, **changes) if known.code == code else known for known in config.channels]
    return msgspec.structs.replace(config, channels=channels)


def with_rules(*rules: Rule, config: Config = CONFIG) -> Config:
    return msgspec.structs.replace(config, rules=list(rules))


def with_inactive(code: str) -> Config:
    """The config with one location switched off."""
    locations = [msgspec.structs.replace(known, active=known.code != code) for known in CONFIG.locations]
    return msgspec.structs.replace(CONFIG, locations=locations)


async def stock(allocator: Allocator, sku: str = CUP, **units: int) -> None:
    """Put units on shelves: stock(allocator, oslo=5, rome=3)."""
    lines = [StockLine(sku, location, number) for location, number in units.items()]
    await allocator.receive(lines, op=f"stock-{next(NUMBERS)}")


async def quota(allocator: Allocator, location: str, channel: str, units: int, floor: int = 0) -> None:
    """Ring-fence cups."""
    await allocator.set_quota(CUP, location, channel, units, floor=floor, op=f"quota-{next(NUMBERS)}")


def lines(*wanted: int | tuple[str, int]) -> list[Line]:
    """Lines named 1, 2, …; a number alone is that many cups."""
    pairs = [(CUP, want) if isinstance(want, int) else want for want in wanted]
    return [Line(str(number), sku, units) for number, (sku, units) in enumerate(pairs, 1)]


def order(id: str, *wanted: int | tuple[str, int], channel: str = "shop", **told: object) -> OrderRequest:
    """An order of the shop, unless another channel is named."""
    return OrderRequest(channel=channel, external_id=id, lines=lines(*wanted), **told)


def hold(id: str, *wanted: int | tuple[str, int], channel: str = "shop", ttl_ms: int = MINUTE, **told: object):
    """A hold of a minute."""
    return HoldRequest(hold_id=id, channel=channel, lines=lines(*wanted), ttl_ms=ttl_ms, **told)


async def sold_at_the_till(allocator: Allocator, id: str, units: int) -> None:
    """Cups that have left the shop in Bergen."""
    await allocator.order(order(id, units, channel="till"))


async def atp(allocator: Allocator, channel: str = "shop", sku: str = CUP) -> int:
    """What the channel may promise now."""
    [level] = await allocator.availability([sku], [channel])
    return level.atp_now


async def published(allocator: Allocator, channel: str = "shop", sku: str = CUP) -> int:
    """What the channel is told."""
    [level] = await allocator.availability([sku], [channel])
    return level.published


async def state(redis: Redis, sku: str = CUP, seller: str = "main") -> SkuState:
    """Everything that is stored of a sku."""
    packed = await redis.hget(f"{{{seller}}}:stock", sku)
    assert packed is not None
    return decode_state(packed)


async def place(redis: Redis, location: str, sku: str = CUP) -> Place:
    """What is stored of a sku at one location; all zeros when nothing is."""
    return (await state(redis, sku)).places.get(location, Place())


async def buckets(redis: Redis, location: str, sku: str = CUP) -> tuple[int, int, int]:
    """on_hand, held, committed."""
    found = await place(redis, location, sku)
    return found.on_hand, found.held, found.committed


def units_at(answer: object) -> dict[str, int]:
    """Units taken by location, over all lines."""
    sums: dict[str, int] = {}
    for take in getattr(answer, "takes", None) or [take for line in answer.lines for take in line.takes]:
        sums[take.location] = sums.get(take.location, 0) + take.units
    return sums


def sources(answer: object) -> list[tuple[str, int, str]]:
    """(source, units, quota) of every part taken, in order."""
    taken = [take for line in answer.lines for take in line.takes]
    return [(part.source, part.units, part.quota) for take in taken for part in take.parts]


READERS = {
    b"string": lambda redis, key: redis.get(key),
    b"hash": lambda redis, key: redis.hgetall(key),
    b"set": lambda redis, key: redis.smembers(key),
    b"zset": lambda redis, key: redis.zrange(key, 0, -1, withscores=True),
    b"stream": lambda redis, key: redis.xrange(key),
}


async def dump(redis: Redis) -> dict[bytes, object]:
    """Every key with all it holds: two equal dumps mean that nothing was written between them."""
    return {key: await READERS[await redis.type(key)](redis, key) for key in await redis.keys("*")}


async def ledger_length(redis: Redis) -> int:
    return await redis.xlen("{main}:ledger")


async def assert_sound(redis: Redis, seller: str = "main") -> None:
    """The books of the seller must be true, and every state as short as it can be."""
    report = await check(redis, seller)
    assert report.violations == []
    for packed in (await redis.hgetall(f"{{{seller}}}:stock")).values():
        assert encode_state(decode_state(packed)) == packed
