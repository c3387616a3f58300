"""Order files for replays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

HEADER = "invoice,placed_at,country,stock_code,quantity"
MONDAY = datetime(2010, 12, 6, 9, tzinfo=UTC)


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def generated(path: Path, invoices: int = 200) -> Path:
    """An order file of 15 days: odd codes, the same article twice in an order, returns, and a mixed invoice."""
    chance, rows = Random(7), []
    codes = ["85123A", "85123a", "BANK CHARGES", "gift_0001_40", "22423", "M/ÆRSK-8", "POST"]
    for number in range(invoices):
        placed_at = (MONDAY + timedelta(hours=number * 1.8)).isoformat()
        sign = -1 if number % 10 == 9 else 1
        signs = [sign, sign, -1] if number == 50 else [sign] * chance.randint(1, 6)
        rows += [f"N{number},{placed_at},Norway,{chance.choice(codes)},{s * chance.randint(1, 24)}" for s in signs]
    return write(path, *rows)
