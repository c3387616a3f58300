"""Listings by what is to be done about them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

DUE = sa.text("changes > settled")
ACCEPTED = sa.text("outcome = 'accepted'")
DEAD = sa.text("outcome = 'dead'")
TICKET = sa.text("ticket <> ''")
DRIFT = sa.text("shown <> told AND shown_ms >= told_ms")


def upgrade() -> None:
    for name, columns, where in (
        ("due", ["seller", "connection", "due_ms"], DUE),
        ("accepted", ["seller", "connection", "told_ms"], ACCEPTED),
        ("dead", ["seller", "connection", "listing"], DEAD),
        ("ticket", ["seller", "connection", "ticket"], TICKET),
        ("drift", ["seller", "connection", "listing"], DRIFT),
    ):
        op.create_index(f"ix_shown_{name}", "shown", columns, unique=False, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name in ("due", "accepted", "dead", "ticket", "drift"):
        op.drop_index(f"ix_shown_{name}", table_name="shown")
