"""Whoever asks: a name, a role, and how they proved it. Pure."""

from dataclasses import dataclass
from typing import Literal

from consumers.access.roles import Role


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who was let in."""

    name: str
    role: Role
    by: Literal["session", "token", "machine"]

    def may(self, needed: Role) -> bool:
        """Whether their role covers what an act needs."""
        return self.role.covers(needed)


THIS_MACHINE = Identity("this machine", Role.ADMIN, "machine")
"""Whoever sits at this machine, as long as there is no user: the page then listens on the loopback only."""
