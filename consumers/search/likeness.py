"""How alike two tracks must be to be called likely the same person, and what that was measured to mean. Pure."""

from typing import Literal

LIKELY = 0.9  # cosine; `docs/search.md` has the table it was read from
CLAIM = (
    "Likely means that the pictures are alike, not that the person is the same: whoever wears the same clothes looks "
    "the same to the model. Look before you act."
)


def level_of(similarity: float) -> Literal["likely", "possible"]:
    """How a likeness is called.

    >>> level_of(0.95), level_of(0.6)
    ('likely', 'possible')
    """
    return "likely" if similarity >= LIKELY else "possible"
