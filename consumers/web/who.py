"""Who asks, and whether they may: what an endpoint declares beside itself."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from starlette.requests import HTTPConnection

from consumers.access.identity import Identity
from consumers.access.roles import Role


def identity_of(connection: HTTPConnection) -> Identity:
    """Whom the gate let in."""
    identity = connection.state.identity  # absent: no gate stands before this, and that is our mistake
    assert isinstance(identity, Identity)
    return identity


Who = Annotated[Identity, Depends(identity_of)]


def needs(role: Role) -> Any:
    """What FastAPI checks before an endpoint runs: 403 for whoever may not."""

    def check(who: Who) -> None:
        if not who.may(role):
            raise HTTPException(403, f"This needs the role {role}; {who.name} is {who.role}.")

    check.needed = role  # type: ignore[attr-defined]  # for the test that every endpoint declares one
    return Depends(check)


Audit = Callable[[str, str, str, dict[str, object]], None]
"""Who, what they did, to what, and how: one line of the log."""
