"""Tills: what they said has happened, and when it did."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "till_event",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("type", sa.String(length=12), nullable=False),
        sa.Column("occurred_ms", sa.BigInteger(), nullable=False),
        sa.Column("heard_ms", sa.BigInteger(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_till_event_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "connection", "event_id", name=op.f("pk_till_event")),
    )
    op.create_table(
        "till_move",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("sku", sa.String(length=64), nullable=False),
        sa.Column("occurred_ms", sa.BigInteger(), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("is_count", sa.Boolean(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("booked_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_till_move_seller_seller")),
        sa.PrimaryKeyConstraint(
            "seller", "location", "sku", "occurred_ms", "connection", "event_id", name=op.f("pk_till_move")
        ),
    )
    op.create_index("ix_till_move_event", "till_move", ["seller", "connection", "event_id"], unique=False)


def downgrade() -> None:
    for table in ("till_move", "till_event"):
        op.drop_table(table)
