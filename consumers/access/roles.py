"""Roles, each able to do all that the one before it can, and what an act needs. Pure."""

from enum import StrEnum


class Role(StrEnum):
    """What somebody is at the desk."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    OFFICER = "officer"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may.

        >>> Role.OFFICER.covers(Role.ANALYST), Role.VIEWER.covers(Role.OFFICER)
        (True, False)
        """
        order = list(Role)
        return order.index(self) >= order.index(needed)


# What an act needs at least.
LOOK = Role.VIEWER  # lists, pictures, alerts and rules as they stand
SEARCH = PLAY = EXPORT = Role.ANALYST  # going back over people: a recorded video tells more than a list
ACT = WRITE_RULES = Role.OFFICER
ADMINISTER = Role.ADMIN
