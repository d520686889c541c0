"""Who asks, and whether they may: what an endpoint declares beside itself."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from consumers.access.identity import Identity
from consumers.access.roles import Role
from consumers.errors import NotPermittedError


def identity_of(connection: HTTPConnection) -> Identity:
    """Whom the gate let in."""
    identity = connection.state.identity  # absent: no gate stands before this, and that is our mistake
    assert isinstance(identity, Identity)
    return identity


async def _who(connection: HTTPConnection) -> Identity:
    """The same for endpoints; asynchronous, as it waits for nothing: any other function is given a thread."""
    return identity_of(connection)


Who = Annotated[Identity, Depends(_who)]


def needs(role: Role) -> Any:
    """What FastAPI checks before an endpoint runs: 403 for whoever may not."""

    async def check(who: Who) -> None:
        refuse_unless(who, role)

    check.__dict__["needed"] = role  # read by the test that every endpoint declares one
    return Depends(check)


def refuse_unless(who: Identity, role: Role) -> None:
    """Refuse whoever may not; the API answers 403.

    Raises:
        NotPermittedError: their role does not cover `role`.
    """
    if not who.may(role):
        raise NotPermittedError(role, who.name, who.role)
