"""Connections to channels: what they were told and show, their orders, and what was said."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "errand",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("external_id", sa.String(length=128), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("says", sa.String(length=500), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seller", "connection", "key", name=op.f("pk_errand")),
    )
    op.create_index("ix_errand_due", "errand", ["seller", "connection", "state", "due_ms"], unique=False)

    op.create_table(
        "exchange",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.String(length=100), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Text(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange")),
    )
    op.create_index("ix_exchange_at", "exchange", ["at_ms"], unique=False)
    op.create_index("ix_exchange_connection", "exchange", ["seller", "connection", "id"], unique=False)

    op.create_table(
        "heard_news",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seller", "connection", "id", name=op.f("pk_heard_news")),
    )
    op.create_index("ix_heard_news_at", "heard_news", ["at_ms"], unique=False)

    op.create_table(
        "heard_order",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=128), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("picture", sa.Text(), nullable=False),
        sa.Column("followed", sa.Text(), nullable=False),
        sa.Column("ask", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("says", sa.String(length=500), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("via", sa.String(length=10), nullable=False),
        sa.Column("placed_ms", sa.BigInteger(), nullable=False),
        sa.Column("heard_ms", sa.BigInteger(), nullable=False),
        sa.Column("taken_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seller", "connection", "external_id", name=op.f("pk_heard_order")),
    )
    op.create_index("ix_heard_order_due", "heard_order", ["seller", "connection", "state", "due_ms"], unique=False)

    op.create_table(
        "shown",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("listing", sa.String(length=128), nullable=False),
        sa.Column("sku", sa.String(length=100), nullable=False),
        sa.Column("named", sa.String(length=128), nullable=False),
        sa.Column("refs", sa.JSON(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=True),
        sa.Column("told_places", sa.JSON(), nullable=False),
        sa.Column("told_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("says", sa.String(length=500), nullable=False),
        sa.Column("ticket", sa.String(length=200), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=True),
        sa.Column("shown_places", sa.JSON(), nullable=False),
        sa.Column("shown_ms", sa.BigInteger(), nullable=False),
        sa.Column("revisions", sa.Integer(), nullable=False),
        sa.Column("revisions_day", sa.Integer(), nullable=False),
        sa.Column("falling", sa.Float(), nullable=False),
        sa.Column("falling_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seller", "connection", "listing", name=op.f("pk_shown")),
    )
    op.create_index("ix_shown_sku", "shown", ["seller", "connection", "sku"], unique=False)

    op.create_table(
        "connection",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("connector", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.Column("counts", sa.String(length=8), nullable=False),
        sa.Column("locations", sa.JSON(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.String(length=40), nullable=False),
        sa.Column("watermark_ms", sa.BigInteger(), nullable=False),
        sa.Column("pulled_ms", sa.BigInteger(), nullable=False),
        sa.Column("reconciled_ms", sa.BigInteger(), nullable=False),
        sa.Column("subscribed_ms", sa.BigInteger(), nullable=False),
        sa.Column("subscribed_url", sa.String(length=500), nullable=False),
        sa.Column("failing", sa.String(length=500), nullable=False),
        sa.Column("failing_since_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["seller"], ["seller.code"], name=op.f("fk_connection_seller_seller")),
        sa.PrimaryKeyConstraint("seller", "code", name=op.f("pk_connection")),
    )


def downgrade() -> None:
    for table in ("connection", "shown", "heard_order", "heard_news", "exchange", "errand"):
        op.drop_table(table)
