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
        "balance_place",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("unavailable", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("committed", sa.BigInteger(), nullable=False),
        sa.Column("deficit", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_balance_place_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "sku", "location", name=op.f("pk_balance_place")),
    )
    with op.batch_alter_table("balance_place", schema=None) as batch_op:
        batch_op.create_index("ix_balance_place_location", ["seller", "location", "sku"], unique=False)

    op.create_table(
        "check_round",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("violations", sa.Integer(), nullable=False),
        sa.Column("frozen", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_check_round_seller_seller")),
        sa.PrimaryKeyConstraint("seller", name=op.f("pk_check_round")),
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
        "hold_line",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("hold_id", sa.String(length=512), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_hold_line_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "hold_id", "place", name=op.f("pk_hold_line")),
    )
    with op.batch_alter_table("hold_line", schema=None) as batch_op:
        batch_op.create_index("ix_hold_line_location", ["seller", "location", "made_ms", "hold_id"], unique=False)
        batch_op.create_index("ix_hold_line_sku", ["seller", "sku", "made_ms", "hold_id"], unique=False)

    op.create_table(
        "hold_record",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("hold_id", sa.String(length=512), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_hold_record_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "hold_id", name=op.f("pk_hold_record")),
    )
    with op.batch_alter_table("hold_record", schema=None) as batch_op:
        batch_op.create_index("ix_hold_record_channel", ["seller", "channel", "made_ms", "hold_id"], unique=False)
        batch_op.create_index("ix_hold_record_made", ["seller", "made_ms", "hold_id"], unique=False)
        batch_op.create_index("ix_hold_record_owner", ["seller", "owner", "made_ms", "hold_id"], unique=False)
        batch_op.create_index("ix_hold_record_state", ["seller", "state", "made_ms", "hold_id"], unique=False)

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
        batch_op.create_index("ix_ledger_entry_at", ["seller", "at_ms", "number"], unique=False)
        batch_op.create_index("ix_ledger_entry_op", ["seller", "op"], unique=False)
        batch_op.create_index("ix_ledger_entry_verb", ["seller", "verb", "number"], unique=False)
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
        batch_op.create_index("ix_ledger_move_location", ["seller", "location", "number", "place"], unique=False)
        batch_op.create_index("ix_ledger_move_sku", ["seller", "sku", "number", "place"], unique=False)

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
        sa.Column("placed_ms", sa.BigInteger(), nullable=False),
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
        batch_op.create_index(
            "ix_order_line_sku", ["seller", "sku", "placed_ms", "channel", "external_id"], unique=False
        )

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
        batch_op.create_index(
            "ix_order_record_channel", ["seller", "channel", "placed_ms", "external_id"], unique=False
        )
        batch_op.create_index("ix_order_record_placed", ["seller", "placed_ms", "channel", "external_id"], unique=False)
        batch_op.create_index(
            "ix_order_record_state", ["seller", "state", "placed_ms", "channel", "external_id"], unique=False
        )

    op.create_table(
        "order_take",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=False),
        sa.Column("line", sa.String(length=512), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("placed_ms", sa.BigInteger(), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("picking", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_order_take_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "channel", "external_id", "line", "place", name=op.f("pk_order_take")),
    )
    with op.batch_alter_table("order_take", schema=None) as batch_op:
        batch_op.create_index(
            "ix_order_take_location", ["seller", "location", "placed_ms", "channel", "external_id"], unique=False
        )

    op.create_table(
        "shipment",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=False),
        sa.Column("placed_ms", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_shipment_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "number", "location", name=op.f("pk_shipment")),
    )
    with op.batch_alter_table("shipment", schema=None) as batch_op:
        batch_op.create_index("ix_shipment_at", ["seller", "at_ms", "number", "location"], unique=False)
        batch_op.create_index("ix_shipment_channel", ["seller", "channel", "at_ms", "number", "location"], unique=False)
        batch_op.create_index("ix_shipment_location", ["seller", "location", "at_ms", "number"], unique=False)
        batch_op.create_index("ix_shipment_order", ["seller", "channel", "external_id", "location"], unique=False)
        batch_op.create_index(
            "ix_shipment_placed", ["seller", "location", "placed_ms", "channel", "external_id"], unique=False
        )

    op.create_table(
        "shipment_line",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("line", sa.String(length=512), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("sku", sa.String(length=256), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_shipment_line_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "number", "location", "line", name=op.f("pk_shipment_line")),
    )
    with op.batch_alter_table("shipment_line", schema=None) as batch_op:
        batch_op.create_index("ix_shipment_line_sku", ["seller", "sku", "at_ms", "number", "location"], unique=False)

    with op.batch_alter_table("ledger_cursor", schema=None) as batch_op:
        batch_op.add_column(sa.Column("entries", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("failing", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("failing_since_ms", sa.BigInteger(), server_default="0", nullable=False))

    with op.batch_alter_table("channel", schema=None) as batch_op:
        batch_op.add_column(sa.Column("acknowledge", sa.String(length=10), nullable=False, server_default="fsynced"))


def downgrade() -> None:
    with op.batch_alter_table("channel", schema=None) as batch_op:
        batch_op.drop_column("acknowledge")

    with op.batch_alter_table("ledger_cursor", schema=None) as batch_op:
        batch_op.drop_column("failing_since_ms")
        batch_op.drop_column("failing")
        batch_op.drop_column("entries")

    with op.batch_alter_table("shipment_line", schema=None) as batch_op:
        batch_op.drop_index("ix_shipment_line_sku")

    op.drop_table("shipment_line")
    with op.batch_alter_table("shipment", schema=None) as batch_op:
        batch_op.drop_index("ix_shipment_placed")
        batch_op.drop_index("ix_shipment_order")
        batch_op.drop_index("ix_shipment_location")
        batch_op.drop_index("ix_shipment_channel")
        batch_op.drop_index("ix_shipment_at")

    op.drop_table("shipment")
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
        batch_op.drop_index("ix_ledger_entry_verb")
        batch_op.drop_index("ix_ledger_entry_op")
        batch_op.drop_index("ix_ledger_entry_at")

    op.drop_table("ledger_entry")
    op.drop_table("lease")
    with op.batch_alter_table("hold_record", schema=None) as batch_op:
        batch_op.drop_index("ix_hold_record_state")
        batch_op.drop_index("ix_hold_record_owner")
        batch_op.drop_index("ix_hold_record_made")
        batch_op.drop_index("ix_hold_record_channel")

    op.drop_table("hold_record")
    with op.batch_alter_table("hold_line", schema=None) as batch_op:
        batch_op.drop_index("ix_hold_line_sku")
        batch_op.drop_index("ix_hold_line_location")

    op.drop_table("hold_line")
    op.drop_table("config_field")
    op.drop_table("check_round")
    with op.batch_alter_table("balance_place", schema=None) as batch_op:
        batch_op.drop_index("ix_balance_place_location")

    op.drop_table("balance_place")
    op.drop_table("balance")
