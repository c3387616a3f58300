"""The ledger in SQL, and what it adds up to."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "balance",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_balance_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "sku", name=op.f("pk_balance")),
    )
    op.create_table(
        "config_field",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("field", sa.String(length=272), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_config_field_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "field", name=op.f("pk_config_field")),
    )
    op.create_table(
        "hold_record",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("hold_id", sa.String(length=512), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_hold_record_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "hold_id", name=op.f("pk_hold_record")),
    )
    with op.batch_alter_table("hold_record", schema=None) as batch_op:
        batch_op.create_index("ix_hold_record_state", ["seller", "state", "deadline_ms"], unique=False)

    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=41), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=32), nullable=False),
        sa.Column("verb", sa.String(length=20), nullable=False),
        sa.Column("op", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("config", sa.String(length=16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_ledger_entry_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "epoch", "id", name=op.f("pk_ledger_entry")),
    )
    with op.batch_alter_table("ledger_entry", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_entry_op", ["seller", "op"], unique=False)
        batch_op.create_index("uq_ledger_entry_number", ["seller", "number"], unique=True)

    op.create_table(
        "ledger_move",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("bucket", sa.String(length=12), nullable=False),
        sa.Column("of", sa.String(length=64), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_ledger_move_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "number", "place", name=op.f("pk_ledger_move")),
    )
    with op.batch_alter_table("ledger_move", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_move_location", ["seller", "location", "number"], unique=False)
        batch_op.create_index("ix_ledger_move_sku", ["seller", "sku", "number"], unique=False)

    op.create_table(
        "ledger_subject",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("id", sa.String(length=577), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_ledger_subject_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "kind", "id", "number", name=op.f("pk_ledger_subject")),
    )
    op.create_table(
        "op_answer",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("op", sa.String(length=640), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_op_answer_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "op", name=op.f("pk_op_answer")),
    )
    op.create_table(
        "order_line",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=False),
        sa.Column("line", sa.String(length=512), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("ordered", sa.BigInteger(), nullable=False),
        sa.Column("committed", sa.BigInteger(), nullable=False),
        sa.Column("shipped", sa.BigInteger(), nullable=False),
        sa.Column("backordered", sa.BigInteger(), nullable=False),
        sa.Column("conflict", sa.BigInteger(), nullable=False),
        sa.Column("cancelled", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_order_line_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "channel", "external_id", "line", name=op.f("pk_order_line")),
    )
    with op.batch_alter_table("order_line", schema=None) as batch_op:
        batch_op.create_index("ix_order_line_sku", ["seller", "sku"], unique=False)

    op.create_table(
        "order_record",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("placed_ms", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_order_record_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "channel", "external_id", name=op.f("pk_order_record")),
    )
    with op.batch_alter_table("order_record", schema=None) as batch_op:
        batch_op.create_index("ix_order_record_channel", ["seller", "channel", "placed_ms"], unique=False)
        batch_op.create_index("ix_order_record_placed", ["seller", "placed_ms"], unique=False)
        batch_op.create_index("ix_order_record_state", ["seller", "state", "placed_ms"], unique=False)

    op.create_table(
        "order_take",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=False),
        sa.Column("line", sa.String(length=512), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("picking", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_order_take_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "channel", "external_id", "line", "place", name=op.f("pk_order_take")),
    )
    with op.batch_alter_table("order_take", schema=None) as batch_op:
        batch_op.create_index("ix_order_take_location", ["seller", "location"], unique=False)

    with op.batch_alter_table("channel", schema=None) as batch_op:
        batch_op.add_column(sa.Column("acknowledge", sa.String(length=10), nullable=False, server_default="fsynced"))


def downgrade() -> None:
    with op.batch_alter_table("channel", schema=None) as batch_op:
        batch_op.drop_column("acknowledge")

    with op.batch_alter_table("order_take", schema=None) as batch_op:
        batch_op.drop_index("ix_order_take_location")

    op.drop_table("order_take")
    with op.batch_alter_table("order_record", schema=None) as batch_op:
        batch_op.drop_index("ix_order_record_state")
        batch_op.drop_index("ix_order_record_placed")
        batch_op.drop_index("ix_order_record_channel")

    op.drop_table("order_record")
    with op.batch_alter_table("order_line", schema=None) as batch_op:
        batch_op.drop_index("ix_order_line_sku")

    op.drop_table("order_line")
    op.drop_table("op_answer")
    op.drop_table("ledger_subject")
    with op.batch_alter_table("ledger_move", schema=None) as batch_op:
        batch_op.drop_index("ix_ledger_move_sku")
        batch_op.drop_index("ix_ledger_move_location")

    op.drop_table("ledger_move")
    with op.batch_alter_table("ledger_entry", schema=None) as batch_op:
        batch_op.drop_index("uq_ledger_entry_number")
        batch_op.drop_index("ix_ledger_entry_op")

    op.drop_table("ledger_entry")
    op.drop_table("lease")
    with op.batch_alter_table("hold_record", schema=None) as batch_op:
        batch_op.drop_index("ix_hold_record_state")

    op.drop_table("hold_record")
    op.drop_table("config_field")
    op.drop_table("balance")
