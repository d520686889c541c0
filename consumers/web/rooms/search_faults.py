"""What *Search* says when it cannot search. Pure."""

from dataclasses import dataclass

from consumers.errors import (
    ConsumerError,
    DeskError,
    NotPermittedError,
    NotSeenError,
    PeopleTableError,
    SearchUnavailableError,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A drawing by its name, a line, and why."""

    drawing: str
    title: str
    why: str


def fault_of(error: ConsumerError) -> Fault:
    """How an error is told to whoever searches.

    >>> fault_of(NotSeenError("somebody")).title
    'Whom to look for is not there'
    """
    match error:
        case SearchUnavailableError():
            why = f"The indexer is starting, or has stopped ({error.reason}). People already found are still in Live."
            return Fault("search_off", "Search does not answer", f"{why} This page asks again by itself.")
        case NotPermittedError():
            return Fault("lock", "Searching is not yours to do", str(error))
        case PeopleTableError():
            return Fault("error", "The list of people cannot be read", str(error))
        case DeskError():
            return Fault("error", "The audit log cannot be written, so nothing is searched", str(error))
        case NotSeenError():
            return Fault("person_off", "Whom to look for is not there", f"{error}. They may have been erased.")
        case _:
            return Fault("help_outline", "This cannot be searched for", str(error))
