"""What became of a refusal: replayed or dropped, when and by whom."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; of what is there, nothing was handled."""
    op.add_column("rejections", sa.Column("handled", sa.String(16), nullable=True))
    op.add_column("rejections", sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("rejections", sa.Column("handled_by", sa.String(100), nullable=True))
