"""Secrets that are carried: session cookies and API tokens. Only their digests are stored. Pure, but for chance."""

import hashlib
import secrets

TOKEN_PREFIX = "crewsight_"  # so that a scanner of repositories can recognise one that leaked


def new_session_secret() -> str:
    """What a browser carries, 256 bits."""
    return secrets.token_urlsafe(32)


def new_token_secret() -> str:
    """What a machine carries, 256 bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret. It has 256 bits of chance, so a fast hash is enough.

    >>> digest("x")[:8]
    '2d711642'
    """
    return hashlib.sha256(secret.encode()).hexdigest()
