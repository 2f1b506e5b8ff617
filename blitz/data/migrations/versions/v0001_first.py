"""The first schema: what version 0.3.0 writes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the documented tables, and those of downloads."""
    _create_documented_tables()
    _create_download_tables()


def _create_documented_tables() -> None:
    op.create_table(
        "category",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("variable_name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_category"),
        sa.UniqueConstraint("variable_name", name="uq_category_variable_name"),
    )
    op.create_table(
        "config",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_config"),
        sa.UniqueConstraint("key", name="uq_config_key"),
    )
    op.create_table(
        "notification",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("time_logged", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
    )
    op.create_table(
        "session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref_id", sa.Integer(), nullable=False),
        sa.Column("available", sa.Boolean(), nullable=False),
        sa.Column("time_started", sa.BigInteger(), nullable=False),
        sa.Column("time_stopped", sa.BigInteger(), nullable=True),
        sa.Column("number_of_readings", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_session"),
        sa.UniqueConstraint("ref_id", name="uq_session_ref_id"),
    )
    op.create_table(
        "cache",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("time_logged", sa.BigInteger(), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(53), nullable=True),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name="fk_cache_category_id_category"),
        sa.PrimaryKeyConstraint("id", name="pk_cache"),
    )
    op.create_index("ix_cache_variable", "cache", ["category_id", "time_logged"], unique=False)
    op.create_table(
        "reading",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("time_logged", sa.BigInteger(), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(53), nullable=True),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name="fk_reading_category_id_category"),
        sa.PrimaryKeyConstraint("id", name="pk_reading"),
    )
    op.create_index("ix_reading_time", "reading", ["session_id", "time_logged"], unique=False)
    op.create_index("ix_reading_variable", "reading", ["session_id", "category_id", "time_logged"], unique=False)


def _create_download_tables() -> None:
    op.create_table(
        "session_copy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_ref_id", sa.Integer(), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("record", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_session_copy"),
    )
    op.create_index(
        "uq_session_copy_session_ref_id_is_whole", "session_copy", ["session_ref_id", "is_whole"], unique=True
    )
    op.create_table(
        "store_binding",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_store_binding"),
    )
    op.create_table(
        "message_block",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("copy_id", sa.Integer(), nullable=False),
        sa.Column("session_ref_id", sa.Integer(), nullable=False),
        sa.Column("grid_index", sa.BigInteger(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["copy_id"], ["session_copy.id"], name="fk_message_block_copy_id_session_copy", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_message_block"),
    )
    op.create_index("uq_message_block_copy_id_grid_index", "message_block", ["copy_id", "grid_index"], unique=True)
