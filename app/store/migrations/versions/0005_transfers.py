"""Transfers between locations: their steps, what these add up to, and units that are on their way to a place."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "transfer",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("transfer_id", sa.String(length=64), nullable=False),
        sa.Column("from_location", sa.String(length=64), nullable=False),
        sa.Column("to_location", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=6), nullable=False),
        sa.Column("sent_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("arrived", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("in_transit", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_transfer_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "transfer_id", name=op.f("pk_transfer")),
    )
    with op.batch_alter_table("transfer", schema=None) as batch_op:
        batch_op.create_index("ix_transfer_from", ["seller", "from_location", "sent_ms", "transfer_id"], unique=False)
        batch_op.create_index("ix_transfer_sent", ["seller", "sent_ms", "transfer_id"], unique=False)
        batch_op.create_index("ix_transfer_state", ["seller", "state", "sent_ms", "transfer_id"], unique=False)
        batch_op.create_index("ix_transfer_to", ["seller", "to_location", "sent_ms", "transfer_id"], unique=False)

    op.create_table(
        "transfer_line",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("transfer_id", sa.String(length=64), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("sent_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("arrived", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("in_transit", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_transfer_line_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "transfer_id", "sku", name=op.f("pk_transfer_line")),
    )
    with op.batch_alter_table("transfer_line", schema=None) as batch_op:
        batch_op.create_index("ix_transfer_line_sku", ["seller", "sku", "sent_ms", "transfer_id"], unique=False)

    op.create_table(
        "transfer_step",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("transfer_id", sa.String(length=64), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("to_location", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("arrived", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_transfer_step_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "number", "sku", name=op.f("pk_transfer_step")),
    )
    with op.batch_alter_table("transfer_step", schema=None) as batch_op:
        batch_op.create_index("ix_transfer_step_transfer", ["seller", "transfer_id", "number", "sku"], unique=False)

    with op.batch_alter_table("balance_place", schema=None) as batch_op:
        batch_op.add_column(sa.Column("in_transit", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("balance_place", schema=None) as batch_op:
        batch_op.drop_column("in_transit")

    with op.batch_alter_table("transfer_step", schema=None) as batch_op:
        batch_op.drop_index("ix_transfer_step_transfer")

    op.drop_table("transfer_step")
    with op.batch_alter_table("transfer_line", schema=None) as batch_op:
        batch_op.drop_index("ix_transfer_line_sku")

    op.drop_table("transfer_line")
    with op.batch_alter_table("transfer", schema=None) as batch_op:
        batch_op.drop_index("ix_transfer_to")
        batch_op.drop_index("ix_transfer_state")
        batch_op.drop_index("ix_transfer_sent")
        batch_op.drop_index("ix_transfer_from")

    op.drop_table("transfer")
