"""What is said of a person: questions with their answers, captions in three grains, and search texts. Pure.

A caption tells the head, then the body, then the surroundings, and leaves out what is not known. A search text states a
few attributes in any of the words people use; whether it is true of another person follows from the attributes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.questions import Question
from trainer.people import Attributes

HAT_COLOURS = ("yellow", "white", "orange", "red", "blue")
VEST_COLOURS = ("yellow", "orange", "red")
CLOTHES_COLOURS = ("black", "grey", "white", "red", "orange", "yellow", "blue", "brown", "green")

HARD_HAT = Question("predicate", "Is this person wearing a hard hat?")
SAFETY_VEST = Question("predicate", "Is this person wearing a safety vest?")
FACE_MASK = Question("predicate", "Is this person wearing a face mask?")
HAT_COLOUR = Question("choice", "What colour is the hard hat?", (*HAT_COLOURS, "none"))
VEST_COLOUR = Question("choice", "What colour is the safety vest?", (*VEST_COLOURS, "none"))
QUESTIONS = (HARD_HAT, SAFETY_VEST, FACE_MASK, HAT_COLOUR, VEST_COLOUR)


def answers_of(person: Attributes) -> list[str | None]:
    """The answer to each of `QUESTIONS`; *hidden* where the part is out of sight, None where nothing is known."""
    return [
        person.hard_hat,
        person.vest,
        person.mask,
        _colour_answer(person.hard_hat, person.hat_colour, HAT_COLOURS),
        _colour_answer(person.vest, person.vest_colour, VEST_COLOURS),
    ]


def caption_of(person: Attributes, chance: np.random.Generator | None = None) -> str:
    """The caption of a person: the usual wording, or with `chance` now and then another.

    >>> seen = Attributes("yes", "yellow", "yes", "orange", trousers_colour="black")
    >>> caption_of(seen)
    'worker in a yellow hard hat and an orange safety vest, dark trousers.'
    >>> caption_of(Attributes(hard_hat="no", vest="no", top_colour="blue", nearby=("machinery",)))
    'person without a hard hat, in a blue top, no safety vest, beside machinery.'
    """
    other = chance is not None and chance.random() < 0.15
    hat = _phrase(
        "hard hat" if not other else "helmet", person.hat_colour if person.hat_colour in HAT_COLOURS else None
    )
    vest = _phrase(
        "safety vest" if not other else "hi vis vest",
        person.vest_colour if person.vest_colour in VEST_COLOURS else None,
    )
    who = "worker" if "yes" in (person.hard_hat, person.vest) else "person"
    verb = "in" if not other else "wearing"
    head = {
        "yes": f"{who} {verb} {hat}",
        "no": f"{who} without a hard hat",
        "hidden": f"{who} with the head out of sight",
        None: who,
    }[person.hard_hat]
    parts = [head]
    if person.vest == "yes":
        parts[0:] = [f"{head} and {vest}"] if person.hard_hat == "yes" else [f"{head}, {verb} {vest}"]
    elif person.vest == "no":
        if person.top_colour:
            parts.append(f"in {_phrase('top', _shade(person.top_colour))}")
        parts.append("no safety vest")
    if person.mask == "yes":
        parts.append("wearing a face mask")
    if person.trousers_colour and person.vest in ("yes", "no"):
        parts.append(f"{_shade(person.trousers_colour)} trousers")
    if person.nearby:
        parts.append("beside " + " and ".join(person.nearby))
    return ", ".join(parts) + "."


def statements_of(person: Attributes) -> dict[str, str]:
    """What is known of a person, by attribute, as search texts may state it."""
    known = {
        "hat": person.hard_hat,
        "vest": person.vest,
        "mask": person.mask,
        "hat colour": person.hat_colour if person.hat_colour in HAT_COLOURS else None,
        "vest colour": person.vest_colour if person.vest_colour in VEST_COLOURS else None,
        "top": person.top_colour if person.top_colour in CLOTHES_COLOURS else None,
        "trousers": person.trousers_colour if person.trousers_colour in CLOTHES_COLOURS else None,
        "beside": person.nearby[0] if person.nearby else None,
    }
    return {name: value for name, value in known.items() if value is not None and value != "hidden"}


def agrees(stated: Mapping[str, str], person: Attributes) -> bool | None:
    """Whether statements hold for a person; None when what is known neither confirms nor refutes them.

    >>> agrees({"vest colour": "orange"}, Attributes(vest="no"))
    False
    """
    verdicts = [_agrees(name, value, person) for name, value in stated.items()]
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _agrees(name: str, value: str, person: Attributes) -> bool | None:
    if name == "beside":
        return value in person.nearby
    if name in ("hat colour", "vest colour"):
        worn = person.hard_hat if name == "hat colour" else person.vest
        if worn in ("no", "hidden"):
            return False
    known = statements_of(person).get(name)
    if known is None:
        hidden = {"hat": person.hard_hat, "vest": person.vest, "mask": person.mask}.get(name) == "hidden"
        return False if hidden else None
    return known == value


@dataclass(frozen=True, slots=True)
class SearchText:
    """A search text and what it states."""

    text: str
    stated: Mapping[str, str]


def search_text_of(person: Attributes, chance: np.random.Generator) -> SearchText | None:
    """A text that states one to three things that are known of a person; None where nothing is known."""
    known = statements_of(person)
    # The colour of a thing says that the thing is there.
    redundant = {"hat"} if "hat colour" in known else set()
    redundant |= {"vest"} if "vest colour" in known else set()
    weights = {n: (0.4 if n in redundant or n in ("beside", "mask") else 1.0) for n in known}
    if not known:
        return None
    names = list(known)
    share = np.array([weights[n] for n in names])
    wanted = min(int(chance.choice([1, 2, 3], p=[0.4, 0.4, 0.2])), len(names))
    chosen = [names[i] for i in chance.choice(len(names), size=wanted, replace=False, p=share / share.sum())]
    stated = {name: known[name] for name in chosen}
    if "hat colour" in stated:
        stated.pop("hat", None)
    if "vest colour" in stated:
        stated.pop("vest", None)
    return SearchText(worded(stated, chance), stated)


def worded(stated: Mapping[str, str], chance: np.random.Generator) -> str:
    """Statements in one of the wordings people use."""

    def one(options: Sequence[str]) -> str:
        return str(chance.choice(list(options)))

    hat, vest = one(_HATS), one(_VESTS)
    wearing = one(("in", "wearing", "with"))
    phrases = []
    for name, value in stated.items():
        if name == "hat colour":
            phrases.append(f"{wearing} {_phrase(hat, value)}")
        elif name == "vest colour":
            phrases.append(f"{one(('in', 'wearing', 'with'))} {_phrase(vest, value)}")
        elif name == "hat":
            phrases.append(f"{wearing} {_phrase(hat, None)}" if value == "yes" else one(_NO_HAT).format(hat))
        elif name == "vest":
            phrases.append(f"{wearing} {_phrase(vest, None)}" if value == "yes" else one(_NO_VEST).format(vest))
        elif name == "mask":
            phrases.append(one(_MASKED) if value == "yes" else one(_UNMASKED))
        elif name == "top":
            phrases.append(f"{one(('in', 'wearing', 'with'))} {_phrase(one(_TOPS), _said(value, chance))}")
        elif name == "trousers":
            phrases.append(f"{one(('in', 'wearing', 'with'))} {_said(value, chance)} {one(_TROUSERS)}")
        else:
            phrases.append(f"{one(_BESIDE)} {value}")
    chance.shuffle(phrases)
    joined = one((" ", ", ", " and ")).join(phrases)
    return f"{one(_SUBJECTS)} {joined}".strip()


_HATS = ("hard hat", "hard hat", "helmet", "hardhat", "safety helmet")
_VESTS = ("safety vest", "safety vest", "vest", "hi vis vest", "hi vis", "high visibility vest", "reflective vest")
_NO_HAT = ("without a {}", "with no {}", "not wearing a {}", "no {}", "without {}")
_NO_VEST = ("without a {}", "with no {}", "not wearing a {}", "no {}", "without {}")
_MASKED = ("wearing a face mask", "with a mask", "in a mask", "wearing a mask")
_UNMASKED = ("without a face mask", "no mask", "not wearing a mask", "without a mask")
_TOPS = ("top", "top", "shirt", "jacket", "sweater", "coat", "clothes")
_TROUSERS = ("trousers", "trousers", "pants", "jeans")
_BESIDE = ("beside", "near", "next to", "by", "close to")
_PEOPLE = ("worker", "person", "a worker", "a person", "someone", "people")
_SUBJECTS = (*_PEOPLE, "workers", "the person", "the worker", "anyone", "who is", "")


def all_texts() -> list[str]:
    """Texts that hold every word that can be said here: what the vocabulary is made of."""
    chance = np.random.default_rng(0)
    words = [*_HATS, *_VESTS, *_NO_HAT, *_MASKED, *_UNMASKED, *_TOPS, *_TROUSERS, *_BESIDE, *_SUBJECTS]
    things = ["a safety cone", "machinery", "a vehicle", "another person"]
    people = [
        Attributes(
            hard_hat="yes", hat_colour="yellow", vest="yes", vest_colour="orange", mask="yes", trousers_colour="grey"
        ),
        Attributes(hard_hat="hidden", vest="no", top_colour="black"),
        Attributes(hard_hat="no", vest="no", top_colour="blue", nearby=("machinery", "a vehicle")),
    ]
    captions = [caption_of(person, chance) for person in people for _ in range(50)]
    answers = ["yes", "no", "none", "dark", *HAT_COLOURS, *VEST_COLOURS, *CLOTHES_COLOURS]
    spoken = [text.replace("{}", "") for text in words]
    return [*spoken, *things, *captions, *answers, "and in wearing with an a", *(q.text for q in QUESTIONS)]


def _colour_answer(worn: str | None, colour: str | None, allowed: Sequence[str]) -> str | None:
    if worn in ("no", "hidden"):
        return "none" if worn == "no" else "hidden"
    return colour if colour in allowed else None


def _phrase(thing: str, colour: str | None) -> str:
    described = thing if colour is None else f"{colour} {thing}"
    return f"{'an' if described[0] in 'aeiou' else 'a'} {described}"


def _shade(colour: str) -> str:
    return "dark" if colour == "black" else colour


def _said(colour: str, chance: np.random.Generator) -> str:
    return "dark" if colour == "black" and chance.random() < 0.5 else colour
