"""Config as rows, keys with rights, audit, webhooks, ledger cursors."""

import sqlalchemy as sa
from alembic import op

from app.store.datasets import OtherDataset

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    refuse_old_config()
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=300), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.create_index("ix_audit_entry_seller_id", ["seller", "id"], unique=False)

    op.create_table(
        "config_change_row",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seller", "version", "number", name=op.f("pk_config_change_row")),
    )
    with op.batch_alter_table("config_change_row", schema=None) as batch_op:
        batch_op.create_index("ix_config_change_row_item", ["seller", "kind", "key"], unique=False)

    op.create_table(
        "channel",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("demand", sa.String(length=10), nullable=False),
        sa.Column("overflow", sa.String(length=10), nullable=False),
        sa.Column("split_limit", sa.Integer(), nullable=False),
        sa.Column("locations", sa.JSON(), nullable=False),
        sa.Column("routing", sa.JSON(), nullable=False),
        sa.Column("same_region_only", sa.Boolean(), nullable=False),
        sa.Column("lowers_at", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_channel_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "code", name=op.f("pk_channel")),
    )
    op.create_table(
        "config_change",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("rolls_back_to", sa.Integer(), nullable=True),
        sa.Column("why_failed", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_config_change_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "version", name=op.f("pk_config_change")),
    )
    with op.batch_alter_table("config_change", schema=None) as batch_op:
        batch_op.create_index("ix_config_change_state", ["seller", "state"], unique=False)

    op.create_table(
        "ledger_cursor",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("reader", sa.String(length=40), nullable=False),
        sa.Column("position", sa.String(length=40), nullable=False),
        sa.Column("lease", sa.String(length=64), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_ledger_cursor_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "reader", name=op.f("pk_ledger_cursor")),
    )
    op.create_table(
        "listing",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("listing", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=100), nullable=False),
        sa.Column("pack_size", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_listing_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "channel", "listing", name=op.f("pk_listing")),
    )
    with op.batch_alter_table("listing", schema=None) as batch_op:
        batch_op.create_index("ix_listing_sku", ["seller", "sku"], unique=False)

    op.create_table(
        "location",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("country", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=64), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("costs", sa.JSON(), nullable=False),
        sa.Column("daily_orders", sa.Integer(), nullable=True),
        sa.Column("cut_off", sa.String(length=5), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_location_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "code", name=op.f("pk_location")),
    )
    op.create_table(
        "rule",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("sku", sa.String(length=100), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("percent_bp", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("valid_from_ms", sa.BigInteger(), nullable=True),
        sa.Column("valid_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("in_force", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_rule_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "id", name=op.f("pk_rule")),
    )
    with op.batch_alter_table("rule", schema=None) as batch_op:
        batch_op.create_index("ix_rule_scope", ["seller", "sku", "category"], unique=False)
        batch_op.create_index("ix_rule_window", ["seller", "in_force", "valid_from_ms", "valid_until_ms"], unique=False)

    op.create_table(
        "sku",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("sku", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("scale", sa.Integer(), nullable=False),
        sa.Column("gtin", sa.String(length=14), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_sku_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "sku", name=op.f("pk_sku")),
    )
    with op.batch_alter_table("sku", schema=None) as batch_op:
        batch_op.create_index("ix_sku_category", ["seller", "category", "sku"], unique=False)
        batch_op.create_index("ix_sku_gtin", ["seller", "gtin"], unique=False)

    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("channels", sa.JSON(), nullable=True),
        sa.Column("secrets", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("disabled_why", sa.String(length=300), nullable=False),
        sa.Column("failing_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_webhook_endpoint_seller_seller")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
    )
    with op.batch_alter_table("webhook_endpoint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_webhook_endpoint_seller"), ["seller"], unique=False)

    op.create_table(
        "zone",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("area", sa.String(length=129), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_zone_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "area", name=op.f("pk_zone")),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("endpoint", sa.String(length=32), nullable=False),
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint"],
            ["webhook_endpoint.id"],
            name=op.f("fk_webhook_delivery_endpoint_webhook_endpoint"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
    )
    with op.batch_alter_table("webhook_delivery", schema=None) as batch_op:
        batch_op.create_index("ix_webhook_delivery_due", ["endpoint", "state", "next_ms"], unique=False)
        batch_op.create_index("ix_webhook_delivery_endpoint", ["endpoint", "created_ms"], unique=False)

    with op.batch_alter_table("api_key", schema=None) as batch_op:
        # Keys made before there were roles could do everything.
        batch_op.add_column(sa.Column("role", sa.String(length=20), nullable=False, server_default="admin"))
        batch_op.add_column(sa.Column("channels", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("locations", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("requests_per_minute", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("replaces", sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column("expires_ms", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("last_used_ms", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("seller", schema=None) as batch_op:
        batch_op.add_column(sa.Column("begun", sa.Boolean(), server_default=sa.false(), nullable=False))
    # Sellers from before this column were begun when they were made.
    op.execute(sa.text("UPDATE seller SET begun = true"))

    with op.batch_alter_table("config_document", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_config_document_active", sqlite_where=sa.text("active"), postgresql_where=sa.text("active")
        )
    op.drop_table("config_document")


def refuse_old_config() -> None:
    """The first version kept a config as one text under version numbers of its own; the store counted others."""
    found = op.get_bind().execute(sa.text("SELECT count(*) FROM config_document")).scalar_one()
    if found:
        raise OtherDataset(
            "this database was filled by the first version of Allot, which kept the config in another form: start with "
            "an empty data folder (or database and store) and the same seed"
        )


def downgrade() -> None:
    op.create_table(
        "config_document",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_config_document_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "version", name=op.f("pk_config_document")),
    )
    with op.batch_alter_table("config_document", schema=None) as batch_op:
        batch_op.create_index(
            "uq_config_document_active",
            ["seller"],
            unique=True,
            sqlite_where=sa.text("active"),
            postgresql_where=sa.text("active"),
        )

    with op.batch_alter_table("seller", schema=None) as batch_op:
        batch_op.drop_column("begun")

    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.drop_column("last_used_ms")
        batch_op.drop_column("expires_ms")
        batch_op.drop_column("replaces")
        batch_op.drop_column("requests_per_minute")
        batch_op.drop_column("locations")
        batch_op.drop_column("channels")
        batch_op.drop_column("role")

    op.drop_table("webhook_delivery")
    op.drop_table("zone")
    with op.batch_alter_table("webhook_endpoint", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhook_endpoint_seller"))

    op.drop_table("webhook_endpoint")
    with op.batch_alter_table("sku", schema=None) as batch_op:
        batch_op.drop_index("ix_sku_gtin")
        batch_op.drop_index("ix_sku_category")

    op.drop_table("sku")
    with op.batch_alter_table("rule", schema=None) as batch_op:
        batch_op.drop_index("ix_rule_window")
        batch_op.drop_index("ix_rule_scope")

    op.drop_table("rule")
    op.drop_table("location")
    with op.batch_alter_table("listing", schema=None) as batch_op:
        batch_op.drop_index("ix_listing_sku")

    op.drop_table("listing")
    op.drop_table("ledger_cursor")
    with op.batch_alter_table("config_change", schema=None) as batch_op:
        batch_op.drop_index("ix_config_change_state")

    op.drop_table("config_change")
    op.drop_table("channel")
    with op.batch_alter_table("config_change_row", schema=None) as batch_op:
        batch_op.drop_index("ix_config_change_row_item")

    op.drop_table("config_change_row")
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_entry_seller_id")

    op.drop_table("audit_entry")
