"""A config is in force as a whole or not at all, and skus once known stay known."""

import msgspec
import pytest

from allocator import Config, ConfigChange, Location, Rule, SkuConfig
from allocator.errors import Invalid, StaleConfig, UnknownChannel, UnknownSku

from . import raw
from .fixtures import (
    CONFIG,
    CUP,
    TEE,
    atp,
    dump,
    ledger_length,
    new_allocator,
    order,
    shelves,
    stock,
    units_at,
    with_channel,
    with_rules,
)


async def test_each_change_is_a_version_more(allocator):
    first = await allocator.configure_all(with_rules(Rule(kind="buffer", units=1)))
    second = await allocator.configure_all(with_rules(Rule(kind="buffer", units=2)))

    assert second == first + 1


async def test_a_rule_is_in_force_at_once(allocator):
    await stock(allocator, oslo=5)

    await allocator.configure_all(with_rules(Rule(kind="buffer", units=2)))

    assert await atp(allocator) == 3


@pytest.mark.parametrize("scope", [{"category": "kitchen"}, {"channel": "shop"}, {"sku": CUP}, {}])
async def test_a_rule_that_changes_is_in_force_at_once_though_others_stay(allocator, scope):
    await stock(allocator, oslo=9)

    left = []
    for units in (1, 3, 2):
        await allocator.configure_all(with_rules(Rule(kind="buffer", units=units, **scope)))
        left.append(await atp(allocator))

    assert left == [8, 6, 7]


async def test_a_rule_that_was_taken_out_speaks_no_more(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.configure_all(with_rules(Rule(kind="buffer", sku=TEE, units=2), Rule(kind="buffer", units=4)))

    await allocator.configure_all(CONFIG)

    assert await atp(allocator) == 5
    assert await redis.hget("{main}:config", f"sku:{TEE}") is None


async def test_a_channel_that_was_taken_out_is_unknown(allocator):
    await stock(allocator, oslo=5)

    await allocator.configure_all(msgspec.structs.replace(CONFIG, channels=CONFIG.channels[1:]))

    with pytest.raises(UnknownChannel):
        await allocator.order(order("1", 1))


async def test_a_sku_that_was_taken_out_keeps_its_stock(allocator):
    await stock(allocator, TEE, oslo=5)

    await allocator.configure_all(msgspec.structs.replace(CONFIG, skus=[]))

    assert await atp(allocator, sku=TEE) == 5


async def test_a_sku_named_again_keeps_its_stock(allocator):
    await stock(allocator, oslo=5)

    await allocator.configure_all(with_rules(Rule(kind="buffer", units=1)))

    assert await atp(allocator) == 4


async def test_a_sku_named_twice_is_made_once(allocator, redis):
    call = raw.right("configure")
    head, skus = call[:-2], ["2", "POT", "POT"]

    word, facts = await raw.call(redis, "configure", [*head, *skus])

    assert (word, facts) == ("configured", [2, 1])
    assert (await allocator.stock(["POT"])) != [None]


async def test_a_new_sku_is_known_from_then_on(allocator):
    with pytest.raises(UnknownSku):
        await stock(allocator, "POT", oslo=1)

    await allocator.configure_all(msgspec.structs.replace(CONFIG, skus=[*CONFIG.skus, SkuConfig(sku="POT")]))
    await stock(allocator, "POT", oslo=1)

    assert await atp(allocator, sku="POT") == 1


async def test_a_config_that_contradicts_itself_changes_nothing(allocator, redis):
    before = await dump(redis)

    with pytest.raises(Invalid):
        await allocator.configure_all(with_channel(CONFIG, "shop", locations=shelves("narvik")))

    assert await dump(redis) == before


async def test_the_process_that_changed_it_knows_it(allocator):
    changed = with_channel(CONFIG, "shop", split_limit=1)

    await allocator.configure_all(changed)

    assert allocator.config.channels == changed.channels
    assert allocator.config.locations == changed.locations


async def test_a_process_that_starts_later_reads_it(allocator, redis):
    changed = with_channel(CONFIG, "shop", locations=shelves("rome", "oslo"))
    await allocator.configure_all(changed)
    await stock(allocator, oslo=1, rome=1)

    other = await new_allocator(redis)

    assert other.config.channels == changed.channels
    assert units_at(await other.order(order("1", 1))) == {"rome": 1}


async def test_thousands_of_skus_and_rules_are_put_in_force(allocator, redis):
    skus = [SkuConfig(sku=f"SKU-{number:04}", category=f"c{number % 50}") for number in range(2_500)]
    rules = [Rule(kind="buffer", sku=sku.sku, units=number % 7) for number, sku in enumerate(skus)]

    await allocator.configure_all(msgspec.structs.replace(CONFIG, skus=[*CONFIG.skus, *skus], rules=rules))
    await stock(allocator, "SKU-2499", oslo=9)

    # 2,499 mod 7 = 0, so nothing is kept back; 2,498 mod 7 = 6
    await stock(allocator, "SKU-2498", oslo=9)
    assert await atp(allocator, sku="SKU-2499") == 9
    assert await atp(allocator, sku="SKU-2498") == 3
    assert await redis.hlen("{main}:stock") == 2_503


async def test_a_config_in_two_parts_is_two_versions_and_no_mixture_is_ranked_with(allocator, redis):
    behind = await new_allocator(redis)
    await stock(allocator, oslo=1, rome=1)
    skus = [SkuConfig(sku=f"SKU-{number:04}") for number in range(1_200)]
    changed = with_channel(CONFIG, "shop", locations=shelves("rome", "oslo"))

    await allocator.configure_all(msgspec.structs.replace(changed, skus=[*CONFIG.skus, *skus]))

    assert units_at(await behind.order(order("1", 1))) == {"rome": 1}


async def test_configuring_the_same_again_is_a_version_without_changes(allocator, redis):
    fields = await redis.hgetall("{main}:config")
    stored = await redis.hgetall("{main}:stock")
    before = await ledger_length(redis)

    await allocator.configure_all(CONFIG)

    assert await redis.hgetall("{main}:config") == fields
    assert await redis.hgetall("{main}:stock") == stored
    assert await ledger_length(redis) == before + 1


async def test_an_empty_config_is_a_config(redis):
    allocator = await new_allocator(redis)

    version = await allocator.configure_all(Config())

    assert version == 1
    with pytest.raises(UnknownChannel):
        await allocator.order(order("1", 1))


async def test_a_change_made_against_an_older_version_is_refused_whole(allocator, redis):
    behind = await new_allocator(redis)
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=1)))
    before = await dump(redis)

    with pytest.raises(StaleConfig) as refused:
        await behind.configure(ConfigChange(behind.version, behind.version + 1, {"rules": b"\xc0"}, [], ["POT"]))

    assert refused.value.facts == {"version": str(allocator.version)}
    assert await dump(redis) == before


async def test_a_whole_config_that_was_compared_with_an_older_one_is_refused_even_when_this_process_has_heard_since(
    allocator, redis, monkeypatch
):
    other = await new_allocator(redis)
    read = allocator._runner.config_fields

    async def read_before_the_other_is_quicker():
        fields = await read()
        await other.configure_all(with_rules(Rule(kind="buffer", units=7)))
        await allocator.reload()
        return fields

    monkeypatch.setattr(allocator._runner, "config_fields", read_before_the_other_is_quicker)

    with pytest.raises(StaleConfig):
        await allocator.configure_all(with_rules(Rule(kind="buffer", units=1)))


async def test_locations_may_come_and_go_with_stock_on_them(allocator):
    await stock(allocator, rome=5)
    without = [location for location in CONFIG.locations if location.code != "rome"]
    config = with_channel(with_channel(CONFIG, "shop", locations=shelves("oslo")), "amazon", locations=shelves("oslo"))

    await allocator.configure_all(msgspec.structs.replace(config, locations=without))
    gone = await atp(allocator)
    await allocator.configure_all(CONFIG)

    assert (gone, await atp(allocator)) == (0, 5)
    assert Location(code="rome") in allocator.config.locations
    assert (await allocator.explain(CUP, "shop")).shelves[1].on_hand == 5
