"""Where the page may listen."""

from consumers.access.access import Access
from consumers.alerts.desk_database import DeskDatabase
from consumers.errors import AddressError
from consumers.listening import is_loopback
from consumers.settings import PageSettings


def check_address(settings: PageSettings) -> None:
    """Refuse to show people to a network on which nobody has to sign in.

    Raises:
        AddressError: the address is not this machine's own, and there is no user.
        DeskError: the desk database cannot be opened.
    """
    page = settings.page
    if not is_loopback(page.host) and not Access(DeskDatabase(settings.desk_url)).has_users():
        reason = (
            "only this machine's own address (127.0.0.1) until there are users to sign in; "
            "add one with `crewsight user add NAME --role admin`, or correct page.host"
        )
        raise AddressError(f"{page.host}:{page.port}", reason)
