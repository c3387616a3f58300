"""Indexes of what is missing, who would lose it, and what is in conflict."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    only("ix_balance_place_missing", "balance_place", ["seller", "sku", "location"], "deficit > 0")
    columns = ["seller", "placed_ms", "channel", "external_id", "line"]
    only("ix_order_line_conflict", "order_line", columns, "conflict > 0")
    op.create_index("ix_order_take_sku", "order_take", ["seller", "sku", "location", "channel", "placed_ms"])


def only(name: str, table: str, columns: list[str], condition: str) -> None:
    few = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=few, postgresql_where=few)


def downgrade() -> None:
    op.drop_index("ix_order_take_sku", "order_take")
    op.drop_index("ix_order_line_conflict", "order_line")
    op.drop_index("ix_balance_place_missing", "balance_place")
