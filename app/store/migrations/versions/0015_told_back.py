"""What channels are told of our orders: how far the ledger was looked through for it, and the ways parcels go."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "told_back",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("connection", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seller", "connection", name=op.f("pk_told_back")),
    )
    op.create_table(
        "parcel_way",
        sa.Column("seller", sa.String(length=64), nullable=False),
        sa.Column("op", sa.String(length=800), nullable=False),
        sa.Column("carrier", sa.String(length=128), nullable=False),
        sa.Column("tracking", sa.String(length=128), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seller", "op", name=op.f("pk_parcel_way")),
    )
    op.create_index("ix_parcel_way_at", "parcel_way", ["at_ms"], unique=False)


def downgrade() -> None:
    op.drop_table("parcel_way")
    op.drop_table("told_back")
