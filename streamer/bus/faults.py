"""What pydantic found wrong in what somebody wrote, said in their words. Pure."""

from pydantic import ValidationError

UNKNOWN_KEY = "unknown key"
_SAID = {  # by pydantic's types of faults: what it says itself names classes and Python's own kinds
    "extra_forbidden": UNKNOWN_KEY,
    "missing": "is missing",
    "model_type": "must be a group of keys",
    "model_attributes_type": "must be a group of keys",
    "dict_type": "must be a group of keys",
    "tuple_type": "must be a list, such as [a, b]",
    "list_type": "must be a list, such as [a, b]",
    "path_type": "must be a path",
    "string_type": "must be text; put it in quotes",
}


def first_fault(error: ValidationError) -> tuple[tuple[int | str, ...], str]:
    """The place of the first fault and what is wrong there; nothing of what was written, as it may be a secret."""
    fault = error.errors(include_url=False, include_input=False)[0]
    return fault["loc"], _SAID.get(fault["type"], fault["msg"].removeprefix("Value error, "))
