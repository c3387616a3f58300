"""Returns that are announced before the goods are there."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KEY = ("due_ms", "channel", "external_id", "return_id", "line")
INDEXES = {"due": (), "location": ("location",), "sku": ("sku",)}


def upgrade() -> None:
    op.create_table(
        "announced_return",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=False),
        sa.Column("return_id", sa.String(length=512), nullable=False),
        sa.Column("line", sa.String(length=512), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("arrived", sa.BigInteger(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_announced_return_seller_seller")),
        sa.PrimaryKeyConstraint(
            "seller", "channel", "external_id", "return_id", "line", name=op.f("pk_announced_return")
        ),
    )
    some = sa.text("expected > 0")
    for name, by in INDEXES.items():
        columns = ["seller", *by, *KEY]
        op.create_index(
            f"ix_announced_return_{name}", "announced_return", columns, sqlite_where=some, postgresql_where=some
        )


def downgrade() -> None:
    op.drop_table("announced_return")
