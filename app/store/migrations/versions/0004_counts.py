"""Counts: what sources said lies on shelves, and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "count_shadow",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("meaning", sa.String(length=20), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_count_shadow_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "source", "meaning", "sku", "location", name=op.f("pk_count_shadow")),
    )
    op.create_table(
        "counted_place",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("as_of_ms", sa.BigInteger(), nullable=True),
        sa.Column("op", sa.String(length=160), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_counted_place_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "sku", "location", name=op.f("pk_counted_place")),
    )
    op.create_table(
        "stock_count",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("meaning", sa.String(length=20), nullable=False),
        sa.Column("uncertainty_ms", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("tally", sa.JSON(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("settled_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_stock_count_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "id", name=op.f("pk_stock_count")),
    )
    with op.batch_alter_table("stock_count", schema=None) as batch_op:
        batch_op.create_index("ix_stock_count_made", ["seller", "made_ms", "id"], unique=False)
        batch_op.create_index("ix_stock_count_state", ["seller", "state", "made_ms", "id"], unique=False)

    op.create_table(
        "stock_count_line",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("count_id", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("as_of_ms", sa.BigInteger(), nullable=True),
        sa.Column("seen_up_to", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("why", sa.String(length=20), nullable=False),
        sa.Column("measured", sa.BigInteger(), nullable=True),
        sa.Column("difference", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=True),
        sa.Column("op", sa.String(length=160), nullable=False),
        sa.Column("settled_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_stock_count_line_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "count_id", "number", name=op.f("pk_stock_count_line")),
    )
    with op.batch_alter_table("stock_count_line", schema=None) as batch_op:
        batch_op.create_index("ix_stock_count_line_state", ["seller", "count_id", "state", "number"], unique=False)

    op.create_table(
        "stock_count_part",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("count_id", sa.String(length=128), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_stock_count_part_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "count_id", "part", name=op.f("pk_stock_count_part")),
    )


def downgrade() -> None:
    op.drop_table("stock_count_part")
    with op.batch_alter_table("stock_count_line", schema=None) as batch_op:
        batch_op.drop_index("ix_stock_count_line_state")

    op.drop_table("stock_count_line")
    with op.batch_alter_table("stock_count", schema=None) as batch_op:
        batch_op.drop_index("ix_stock_count_state")
        batch_op.drop_index("ix_stock_count_made")

    op.drop_table("stock_count")
    op.drop_table("counted_place")
    op.drop_table("count_shadow")
