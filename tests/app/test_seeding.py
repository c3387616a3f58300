import pytest

from allocator import errors
from app.config.reading import read_changes, read_page
from app.opening import open_service
from app.seed import load_seed
from app.seeding import apply_seed
from tests.app.conftest import SHOP

pytestmark = pytest.mark.from_nothing

CUP = "CUP"


async def numbers(allocator) -> dict[tuple[str, str], int]:
    levels = await allocator.availability([CUP, "PLATE", "A/4"], ["shop", "amazon", "till"])
    return {(level.sku, level.channel): level.atp_now for level in levels}


async def versions(allocator) -> list[int]:
    return [level.version for level in await allocator.availability([CUP, "PLATE", "A/4"], ["shop"])]


async def history(state) -> list[tuple[int, str, str, str]]:
    changes, _ = await read_changes(state.database, "main", kind="", key="", cursor="", limit=100)
    return [(change.version, change.state, change.actor, change.note) for change in changes]


async def keys(state, kind: str) -> list[str]:
    page = await read_page(state.database, "main", kind, where={}, cursor="", limit=1_000)
    return [key for key, _ in page.entries]


async def test_a_new_data_set_is_filled_with_config_stock_and_quotas(settings):
    async with open_service(settings) as state:
        found = await numbers(state.allocators["main"])

        assert found[CUP, "shop"] == 15
        assert (found["PLATE", "shop"], found["PLATE", "amazon"]) == (4, 1)
        assert await history(state) == [(1, "active", "seed", "seed")]
        assert await keys(state, "channels") == ["amazon", "shop", "till"]
        assert await keys(state, "rules") == ["seed-1"]


async def test_a_seed_may_have_listings_and_all_that_a_sku_has(settings, tmp_path):
    rich = tmp_path / "rich.yaml"
    rich.write_text(
        "channels: [{ code: shop }]\n"
        "skus: [{ sku: ROPE, unit: m, scale: 1000, gtin: '4006381333931', attributes: { colour: red } }]\n"
        "listings: [{ channel: shop, listing: rope-5m, sku: ROPE, pack_size: 5000 }]\n"
    )

    async with open_service(settings.model_copy(update={"seed_path": rich})) as state:
        assert await keys(state, "listings") == ["shop/rope-5m"]


async def test_the_same_seed_at_the_next_start_changes_nothing(settings):
    async with open_service(settings) as state:
        before = await versions(state.allocators["main"])

    async with open_service(settings) as state:
        after = await versions(state.allocators["main"])

        assert (after, len(await history(state))) == (before, 1)


async def test_another_seed_does_not_touch_a_data_set_in_use(settings, tmp_path):
    async with open_service(settings) as state:
        before = await numbers(state.allocators["main"])
    other = tmp_path / "other.yaml"
    other.write_text(SHOP.read_text().replace("units: 10", "units: 99"))

    async with open_service(settings.model_copy(update={"seed_path": other})) as state:
        assert await numbers(state.allocators["main"]) == before


@pytest.mark.parametrize("verb", ["configure", "receive", "set_quota"])
async def test_a_seeding_that_was_cut_off_is_finished_and_counts_once(settings, monkeypatch, verb: str):
    seed = load_seed(SHOP)
    async with open_service(settings.model_copy(update={"seed_path": None})) as state:
        allocator = state.allocators["main"]
        monkeypatch.setattr(allocator, verb, cut_off)
        with pytest.raises(errors.Unanswered):
            await apply_seed(state.database, allocator, seed, now_ms=2)
        monkeypatch.undo()

        done = await apply_seed(state.database, allocator, seed, now_ms=3)
        again = await apply_seed(state.database, allocator, seed, now_ms=4)

        assert (done, again, await history(state)) == (True, False, [(1, "active", "seed", "seed")])
        assert (await numbers(allocator))[CUP, "shop"] == 15
        assert (await numbers(allocator))["PLATE", "amazon"] == 1


async def cut_off(*_: object, **__: object) -> None:
    raise errors.Unanswered


async def test_many_rows_are_saved_and_received_in_several_steps(settings, tmp_path):
    big = tmp_path / "big.yaml"
    skus = [f"NEW-{number}" for number in range(1_200)]
    big.write_text(
        "locations: [{ code: oslo }]\n"
        "channels: [{ code: shop, locations: [{ code: oslo }] }]\n"
        f"skus: [{', '.join(f'{{ sku: {sku} }}' for sku in skus)}]\n"
        f"stock: [{', '.join(f'{{ sku: {sku}, location: oslo, units: 3 }}' for sku in skus)}]\n"
    )

    async with open_service(settings.model_copy(update={"seed_path": big})) as state:
        assert [note for *_, note in await history(state)] == ["seed", "seed"]
        for sku in (skus[0], skus[499], skus[500], skus[1_199]):
            [level] = await state.allocators["main"].availability([sku], ["shop"])
            assert (sku, level.atp_now) == (sku, 3)
