"""Calendars of locations, carriers, split rules of channels, and what orders were promised about time."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

EVERY_DAY = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]'


def upgrade() -> None:
    for column in of_locations():
        op.add_column("location", column)
    op.add_column("channel", sa.Column("split_rules", sa.JSON(), nullable=False, server_default="[]"))
    for column in of_orders():
        op.add_column("order_record", column)
    op.create_table(
        "carrier",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("zones", sa.JSON(), nullable=False),
        sa.Column("rates", sa.JSON(), nullable=False),
        sa.Column("working_days", sa.JSON(), nullable=False),
        sa.Column("closed_on", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_carrier_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "code", name=op.f("pk_carrier")),
    )


def of_locations() -> list[sa.Column[Any]]:
    return [
        sa.Column("handling_days", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("working_days", sa.JSON(), nullable=False, server_default=EVERY_DAY),
        sa.Column("closed_on", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("pickup", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("carriers", sa.JSON(), nullable=False, server_default="[]"),
    ]


def of_orders() -> list[sa.Column[Any]]:
    return [
        sa.Column("ship_by_ms", sa.BigInteger(), nullable=True),
        sa.Column("deliver_by_ms", sa.BigInteger(), nullable=True),
        sa.Column("country", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("region", sa.String(length=64), nullable=False, server_default=""),
    ]


def downgrade() -> None:
    op.drop_table("carrier")
    for column in of_orders():
        op.drop_column("order_record", column.name)
    op.drop_column("channel", "split_rules")
    for column in of_locations():
        op.drop_column("location", column.name)
