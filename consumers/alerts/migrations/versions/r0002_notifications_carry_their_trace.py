"""A notification that is owed carries the context of the trace that it belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; what is owed already belongs to no trace."""
    op.add_column("outbox", sa.Column("traceparent", sa.String(64), nullable=True))
