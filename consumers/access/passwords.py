"""Passwords: what one must be, and argon2 over it."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from consumers.errors import AccessError

SHORTEST, LONGEST = 10, 512  # the longest only keeps argon2 from chewing on megabytes

_hasher = PasswordHasher()  # the library's own parameters: RFC 9106, low-memory


def hash_password(name: str, password: str) -> str:
    """The argon2id hash of a password that is fit to be one.

    Raises:
        AccessError: it is too short, too long or the user's own name.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccessError(f"the password of {name} must have {SHORTEST} to {LONGEST} characters, got {len(password)}")
    if password.casefold().strip() == name.casefold():
        raise AccessError(f"the password of {name} must not be the name")
    return _hasher.hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether it is the password; without a hash as slow as with one, so that nobody learns which names exist."""
    if len(password) > LONGEST:
        return False
    try:
        is_right = _hasher.verify(password_hash or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return is_right and password_hash is not None


@cache
def _nobody() -> str:
    return _hasher.hash("a password that opens nothing")
