import pytest

from allocator import errors
from app.opening import open_service
from app.seed import load_seed
from app.seeding import apply_seed
from app.store.configs import active_config, stage_config
from tests.app.conftest import SHOP

CUP = "CUP"


async def numbers(allocator) -> dict[tuple[str, str], int]:
    levels = await allocator.availability([CUP, "PLATE", "A/4"], ["shop", "amazon", "till"])
    return {(level.sku, level.channel): level.atp_now for level in levels}


async def versions(allocator) -> list[int]:
    return [level.version for level in await allocator.availability([CUP, "PLATE", "A/4"], ["shop"])]


async def active(state):
    async with state.database.reading() as session:
        return await active_config(session, seller="main")


async def test_a_new_data_set_is_filled_with_config_stock_and_quotas(settings):
    async with open_service(settings) as state:
        found = await numbers(state.allocators["main"])
        config = await active(state)

    assert found[CUP, "shop"] == 15
    assert (found["PLATE", "shop"], found["PLATE", "amazon"]) == (4, 1)
    assert config.version == 1
    assert '"overflow":"borrow"' in config.document


async def test_the_same_seed_at_the_next_start_changes_nothing(settings):
    async with open_service(settings) as state:
        before = await versions(state.allocators["main"])

    async with open_service(settings) as state:
        after = await versions(state.allocators["main"])

        assert (after, (await active(state)).version) == (before, 1)


async def test_another_seed_does_not_touch_a_data_set_in_use(settings, tmp_path):
    async with open_service(settings) as state:
        before = await numbers(state.allocators["main"])
    other = tmp_path / "other.yaml"
    other.write_text(SHOP.read_text().replace("units: 10", "units: 99"))

    async with open_service(settings.model_copy(update={"seed_path": other})) as state:
        assert await numbers(state.allocators["main"]) == before


async def test_a_seeding_that_was_cut_off_is_finished_and_counts_once(settings, monkeypatch):
    seed = load_seed(SHOP)
    async with open_service(settings.model_copy(update={"seed_path": None})) as state:
        allocator = state.allocators["main"]
        async with state.database.writing() as session:
            await stage_config(session, seller="main", document="{}", now_ms=1)
        allocator.now_ms = 4_000_000_000_000
        monkeypatch.setattr(allocator, "set_quota", cut_off)
        with pytest.raises(errors.Unanswered):
            await apply_seed(state.database, allocator, seed, now_ms=2)
        monkeypatch.undo()

        done = await apply_seed(state.database, allocator, seed, now_ms=3)
        again = await apply_seed(state.database, allocator, seed, now_ms=4)

        assert (done, again, (await active(state)).version) == (True, False, 3)
        assert (await numbers(allocator))[CUP, "shop"] == 15
        assert (await numbers(allocator))["PLATE", "amazon"] == 1


async def cut_off(*_: object, **__: object) -> None:
    raise errors.Unanswered


async def test_many_rows_are_received_in_several_movements(settings, tmp_path):
    big = tmp_path / "big.yaml"
    skus = [f"NEW-{number}" for number in range(1_200)]
    big.write_text(
        "locations: [{ code: oslo }]\n"
        "channels: [{ code: shop, locations: [{ code: oslo }] }]\n"
        f"skus: [{', '.join(f'{{ sku: {sku} }}' for sku in skus)}]\n"
        f"stock: [{', '.join(f'{{ sku: {sku}, location: oslo, units: 3 }}' for sku in skus)}]\n"
    )

    async with open_service(settings.model_copy(update={"seed_path": big})) as state:
        for sku in (skus[0], skus[499], skus[500], skus[1_199]):
            [level] = await state.allocators["main"].availability([sku], ["shop"])
            assert (sku, level.atp_now) == (sku, 3)
