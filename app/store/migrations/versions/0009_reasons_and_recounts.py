"""Reasons for rejects; what is to be counted because of one; what locations gave and rejected, day by day."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reason",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("effect", sa.String(length=12), nullable=False),
        sa.Column("recount", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_reason_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "code", name=op.f("pk_reason")),
    )
    op.create_table(
        "location_day",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_location_day_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "day", "location", name=op.f("pk_location_day")),
    )
    op.create_table(
        "recount",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("rejects", sa.Integer(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("closed_number", sa.BigInteger(), nullable=True),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("closed_op", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.String(length=128), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("difference", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_recount_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "number", "sku", name=op.f("pk_recount")),
    )
    only("uq_recount_open", ["seller", "sku", "location"], unique=True)
    only("ix_recount_open", ["seller", "number", "sku"])
    op.create_index("ix_recount_location", "recount", ["seller", "location", "number", "sku"])
    op.create_index("ix_recount_sku", "recount", ["seller", "sku", "number"])


def only(name: str, columns: list[str], *, unique: bool = False) -> None:
    few = sa.text("closed_number IS NULL")
    op.create_index(name, "recount", columns, unique=unique, sqlite_where=few, postgresql_where=few)


def downgrade() -> None:
    for name in ("ix_recount_sku", "ix_recount_location", "ix_recount_open", "uq_recount_open"):
        op.drop_index(name, "recount")
    op.drop_table("recount")
    op.drop_table("location_day")
    op.drop_table("reason")
