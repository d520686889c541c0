"""Versions begin: a ledger database that was laid out before is taken to be this one."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Change nothing."""
