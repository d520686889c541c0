"""What a caption claims: the equipment that it names or denies, and the colours it gives it. Pure."""

import re
from dataclasses import dataclass
from typing import Literal

Thing = Literal["hat", "vest", "mask"]
THINGS: tuple[Thing, ...] = ("hat", "vest", "mask")

_NAMES: dict[Thing, str] = {
    "hat": r"hard ?hats?|(?:safety |construction )?helmets?|safety hats?",
    "vest": r"(?:(?:safety|hi vis|high visibility|reflective) )*vests?|hi vis(?: jackets?)?|high visibility jackets?",
    "mask": r"(?:(?:face|dust) )?masks?|respirators?",
}
_COLOURS = "black|grey|gray|white|red|orange|yellow|green|blue|brown|purple|pink"
_FILLERS = r"(?:(?:safety|protective|construction|bright|neon|fluorescent|reflective|hi vis|high visibility) )*"
_NAMED = {
    thing: re.compile(rf"\b(?:(?P<colour>{_COLOURS}) )?{_FILLERS}(?:{names})\b") for thing, names in _NAMES.items()
}
_SAID_AFTER = {
    thing: re.compile(rf"\b(?:{names}) (?:is|are) (?P<colour>{_COLOURS})\b") for thing, names in _NAMES.items()
}
_DENIAL = re.compile(r"\b(?:no|not|without|lacks|lacking|missing|nor|neither|isn ?t|doesn ?t)\b")
_TURN = re.compile(r"\b(?:and|but) (?:is )?(?:in|wearing|wears|with|has)\b")
_CLAUSE = re.compile(r"[.,;:!?]| but ")


@dataclass(frozen=True, slots=True)
class Claim:
    """A thing is said to be there, perhaps with a colour, or not to be there."""

    is_worn: bool
    colour: str | None = None


def claims_of(caption: str) -> dict[Thing, Claim]:
    """What a caption says of hat, vest and mask; a thing of which it says nothing is missing.

    The last word counts where a caption says two things.

    >>> claims_of("Worker in a yellow hard hat and an orange hi-vis vest, no mask.")["vest"]
    Claim(is_worn=True, colour='orange')
    >>> sorted(claims_of("person without a helmet or a vest, beside machinery"))
    ['hat', 'vest']
    >>> claims_of("not wearing a hard hat and wearing a safety vest")["vest"]
    Claim(is_worn=True, colour=None)
    """
    found: dict[Thing, Claim] = {}
    for clause in _CLAUSE.split(_plain(caption)):
        for thing in THINGS:
            for named in _NAMED[thing].finditer(clause):
                if _is_denied(clause[: named.start()]):
                    found[thing] = Claim(is_worn=False)
                else:
                    found[thing] = Claim(True, _colour(thing, named, clause) or _colour_of(found.get(thing)))
    return found


def _colour(thing: Thing, named: re.Match[str], clause: str) -> str | None:
    after = _SAID_AFTER[thing].search(clause)
    colour = named["colour"] or (after["colour"] if after else None)
    return "grey" if colour == "gray" else colour


def _colour_of(claim: Claim | None) -> str | None:
    return claim.colour if claim else None


def _plain(caption: str) -> str:
    return re.sub(r"[^a-z.,;:!?]+", " ", caption.lower())


def _is_denied(before: str) -> bool:
    """Whether what stands before a name denies it: a denial that no other verb has ended."""
    denials = list(_DENIAL.finditer(before))
    return bool(denials) and not _TURN.search(before, denials[-1].end())
