"""Write the next revision after a change in tables.py: `python -m app.store.migrations "what changed"`."""

import sys

from sqlalchemy import create_engine

from . import new_revision, upgrade


def main() -> None:
    """Compare the code with an empty database that has every revision so far."""
    with create_engine("sqlite://").begin() as connection:
        upgrade(connection)
        new_revision(connection, sys.argv[1])


main()
