"""Hunts every planted bug and notes where it was found; the next hunt begins there: `python -m` this package."""

import json
import sys

from .many import FOUND_LAST, hunt_all


def main() -> int:
    """The exit status: 1 when a bug was not found."""
    found = hunt_all()
    seeds = {one.bug: one.seed for one in found if one.says}
    FOUND_LAST.write_text(json.dumps(seeds, indent=2, sort_keys=True) + "\n")
    for one in found:
        print(f"{one.seed:>5} {one.bug}" if one.says else f"never {one.bug}")
    return int(len(seeds) < len(found))


if __name__ == "__main__":
    sys.exit(main())
