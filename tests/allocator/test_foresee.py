"""What a change of config would make of orders, asked before it is in force."""

import msgspec
import pytest

from allocator import Carrier, Config, ConfigChange, Location, Rate, Rule, ShipTo, errors
from allocator.rules import changed_fields, compile_config

from .fixtures import CONFIG, CUP, TEE, dump, order, quota, shelves, stock, with_channel, with_rules


def change_to(config: Config, base: int, was: Config = CONFIG) -> ConfigChange:
    """The change that makes this of what the config was."""
    fields, removed = changed_fields(compile_config(was), compile_config(config))
    return ConfigChange(base, base + 1, fields, removed, [])


async def both(allocator, config: Config, wanted, was: Config = CONFIG):
    """What the order would get now, and with this config."""
    foreseen = allocator.foresee(change_to(config, allocator.version, was))
    return await allocator.order(wanted, preview=allocator.foresee()), await allocator.order(wanted, preview=foreseen)


def places(placed) -> list[str]:
    return [take.location for line in placed.lines for take in line.takes]


CHANGES = {
    "locations in another order": with_channel(CONFIG, "shop", locations=shelves("rome", "oslo", "bergen")),
    "a location less": with_channel(CONFIG, "shop", locations=shelves("rome", "bergen")),
    "safety stock": with_rules(Rule(kind="safety_stock", units=8, location="oslo")),
    "safety stock of a category": with_rules(Rule(kind="safety_stock", units=8, category="kitchen")),
    "safety stock of a sku": with_rules(Rule(kind="safety_stock", units=9, location="oslo", sku=CUP)),
    "a location that is switched off": msgspec.structs.replace(
        CONFIG, locations=[Location(code="oslo", active=False), *CONFIG.locations[1:]]
    ),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("channel", ["shop", "amazon"])
async def test_what_is_foreseen_is_what_the_order_gets_when_the_change_is_in_force(allocator, name, channel):
    await stock(allocator, oslo=10, rome=10, bergen=10)
    await stock(allocator, TEE, oslo=3, rome=3)
    await quota(allocator, "oslo", "amazon", 2)
    wanted = order("1", 4, (TEE, 1), channel=channel)
    now, then = await both(allocator, CHANGES[name], wanted)

    plain = await allocator.order(wanted, preview=True)
    await allocator.configure_all(CHANGES[name])
    placed = await allocator.order(wanted)

    assert (now, then) == (plain, placed)
    assert channel == "amazon" or now != then


async def test_the_most_specific_rule_of_the_change_decides(allocator):
    await stock(allocator, oslo=10)
    rules = Rule(kind="buffer", units=9, channel="shop"), Rule(kind="buffer", units=2, channel="shop", sku=CUP)
    foreseen = allocator.foresee(change_to(with_rules(*rules), allocator.version))

    most = await allocator.order(order("1", 8), preview=foreseen)

    assert most.lines[0].committed == 8
    with pytest.raises(errors.Short):
        await allocator.order(order("1", 9), preview=foreseen)


async def test_a_rule_that_the_change_removes_binds_no_more(allocator):
    was = with_rules(Rule(kind="safety_stock", units=8, location="oslo"))
    await allocator.configure_all(was)
    await stock(allocator, oslo=10, rome=10)

    now, then = await both(allocator, CONFIG, order("1", 4), was=was)

    assert (places(now), places(then)) == (["rome"], ["oslo"])


async def test_a_channel_that_the_change_removes_is_unknown_then(allocator):
    config = msgspec.structs.replace(CONFIG, channels=CONFIG.channels[1:])
    foreseen = allocator.foresee(change_to(config, allocator.version))

    with pytest.raises(errors.UnknownChannel):
        await allocator.order(order("1", 1), preview=foreseen)


async def test_only_what_the_order_can_meet_is_sent_with_it(allocator):
    rules = [Rule(kind="buffer", units=1, sku=sku) for sku in (CUP, TEE)]
    changed = with_channel(with_rules(*rules), "amazon", rank=9)
    foreseen = allocator.foresee(change_to(with_channel(changed, "shop", split_limit=1), allocator.version))

    fields = [field for field, _ in foreseen.overlay(order("1", 1, 2))]

    assert fields == ["ranks", "channel:shop", f"sku:{CUP}"]


async def test_what_is_foreseen_writes_nothing(allocator, redis):
    await stock(allocator, oslo=20, rome=20)
    before = await dump(redis)

    for config in CHANGES.values():
        await both(allocator, config, order("1", 3))

    assert await dump(redis) == before


async def test_what_lies_on_another_version_of_the_config_says_nothing(allocator):
    foreseen = allocator.foresee()
    change = change_to(CHANGES["safety stock"], allocator.version)
    await allocator.configure_all(CHANGES["a location less"])

    with pytest.raises(errors.StaleConfig):
        await allocator.order(order("1", 1), preview=foreseen)
    with pytest.raises(errors.StaleConfig):
        allocator.foresee(change)


async def test_the_days_of_the_change_are_promised(allocator):
    places_ = [Location(code="oslo", time_zone="UTC", handling_days=3), *CONFIG.locations[1:]]
    await stock(allocator, oslo=5)

    now, then = await both(allocator, msgspec.structs.replace(CONFIG, locations=places_), order("1", 1))

    assert now.promised is None
    assert then.promised.ship_by_ms > allocator.now_ms


async def test_what_a_parcel_costs_is_known_when_that_of_each_location_is(allocator):
    post = Carrier(code="post", zones={"NO": "home"}, rates=[Rate(zone="home", cost=5, transit_days=2)])
    places_ = [
        Location(code="oslo", carriers=("post",)),
        Location(code="rome", carriers=("post",)),
        *CONFIG.locations[2:],
    ]
    config = msgspec.structs.replace(CONFIG, locations=places_, carriers=[post])
    foreseen = allocator.foresee(change_to(config, allocator.version))
    norway = ShipTo(country="NO")

    assert foreseen.cost(["oslo", "rome"], norway) == 10
    assert [foreseen.cost(codes, norway) for codes in (["oslo", "bergen"], [], ["nowhere"])] == [None] * 3
    assert foreseen.cost(["oslo"], ShipTo(country="SE")) is None
