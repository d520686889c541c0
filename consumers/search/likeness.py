"""How alike two tracks must be to be called likely the same person, and what that was measured to mean. Pure."""

from typing import Literal

LIKELY = 0.975  # cosine; `docs/search.md` has the table it was read from
CLAIM = (
    "Likely means that the pictures are alike, not that the person is the same: of two different people side by side "
    "in our clips, four pairs in a hundred were as alike as that, and of one person's own pictures, taken seconds "
    "apart by one camera, three in ten. Among many people most of the likely are others: look."
)


def level_of(similarity: float) -> Literal["likely", "possible"]:
    """How a likeness is called.

    >>> level_of(0.98), level_of(0.6)
    ('likely', 'possible')
    """
    return "likely" if similarity >= LIKELY else "possible"
