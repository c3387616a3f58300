"""The shop that is broken: three locations, three kinds of channel, and one sku that everybody wants."""

import json
from pathlib import Path
from typing import Any, Final

from allocator import Allocator, StockLine
from app.seed import load_seed

SELLER: Final = "main"
HOT: Final = "CUP"
SKUS: Final = (HOT, *(f"MUG-{number}" for number in range(1, 12)))
LOCATIONS: Final = ("oslo", "rome", "lima")
OPENING_HOT: Final = 30
OPENING: Final = 400
SEEDED: Final = "seed:"
"""What the names of the ops begin with that filled the shelves."""


def opening(sku: str) -> int:
    """Units of a sku at each location before anything is sold."""
    return OPENING_HOT if sku == HOT else OPENING


def write_seed(folder: Path) -> Path:
    """The shop as a seed file. JSON is YAML too."""
    file = folder / "shop.yaml"
    file.write_text(json.dumps(_seed()))
    return file


def _seed() -> dict[str, Any]:
    shelves = [{"code": code} for code in LOCATIONS]
    return {
        "locations": [{"code": code, "priority": rank} for rank, code in enumerate(LOCATIONS, 1)],
        "channels": [
            {"code": "shop", "rank": 1, "overflow": "borrow", "split_limit": 2, "locations": shelves},
            {"code": "amazon", "rank": 2, "kind": "marketplace", "demand": "firm", "locations": shelves},
            {"code": "till", "rank": 3, "kind": "pos", "demand": "gone", "locations": shelves[:1]},
        ],
        "skus": [{"sku": sku} for sku in SKUS],
        "rules": [
            {"kind": "safety_stock", "units": 2},
            {"kind": "buffer", "channel": "shop", "units": 1},
        ],
        "stock": [{"sku": sku, "location": code, "units": opening(sku)} for sku in SKUS for code in LOCATIONS],
        "quotas": [{"sku": sku, "location": "oslo", "channel": "shop", "units": 10} for sku in SKUS[:3]],
    }


async def fill(allocator: Allocator, seed_file: Path) -> None:
    """Put the seed into an empty store, without a service. Raises what the verbs raise."""
    seed = load_seed(seed_file)
    await allocator.begin()
    await allocator.configure_all(seed.config())
    await allocator.receive([StockLine(row.sku, row.location, row.units) for row in seed.stock], op=f"{SEEDED}stock")
    for number, row in enumerate(seed.quotas):
        await allocator.set_quota(row.sku, row.location, row.channel, row.units, op=f"{SEEDED}{number}")
