"""FAISS, imported where it is needed and not before."""

from typing import Any

from consumers.errors import FaissMissingError


def load_faiss() -> Any:
    """The FAISS module.

    Raises:
        FaissMissingError: It is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise FaissMissingError from error
    return faiss
