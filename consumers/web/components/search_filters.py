"""A search's filters: a menu for each kind, and a chip for each that holds, which one click takes away. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial

from consumers.search.query import By
from consumers.web.address import (
    ANSWERS,
    BY,
    CAMERA,
    DESCRIBED,
    PERSON,
    SINCE,
    SURE,
    UNTIL,
    VIEW,
    Address,
    packed,
    unpacked,
)
from consumers.web.components.alert_filters import instant_of
from consumers.web.components.markup import Markup, icon, tag, together
from consumers.web.components.time_menu import SPANS
from consumers.web.search.search_address import answers_of, answers_words, by_of, is_asking, zone_asked
from consumers.web.search.shapes import AnswerAsked, QuestionShape
from consumers.web.wording import seen_time
from model.questions import CANNOT_TELL

BY_WORDS = {
    By.BOTH: "Picture and description",
    By.PICTURE: "Picture alone",
    By.DESCRIPTION: "Description alone",
}
SHARES = (("0.5", "half sure"), ("0.7", "70% sure"), ("0.9", "90% sure"))
TIMELINE = "timeline"


@dataclass(frozen=True, slots=True)
class Offered:
    """What filters can be chosen from."""

    cameras: Sequence[str] = ()
    groups: Sequence[str] = ()
    questions: Sequence[QuestionShape] = ()


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter that holds: what it says, and the address without it."""

    words: str
    without: Address


def moved(address: Address, **changes: str | None) -> Address:
    """The same search filtered otherwise; a person who is open is closed."""
    return address.but(**{PERSON: None, **changes})


def chips_of(address: Address, offered: Offered, now: datetime, zone: tzinfo) -> list[Chip]:
    """One chip a filter that holds."""
    zone = zone_asked(address, zone)
    chips = [
        Chip(camera, moved(address, **{CAMERA: packed(one for one in unpacked(address.get(CAMERA)) if one != camera)}))
        for camera in unpacked(address.get(CAMERA))
    ]
    for part, word in ((SINCE, "since"), (UNTIL, "until")):
        said = address.get(part)
        if said:
            instant = instant_of(said, now, zone)
            words = "in " + SPANS[said].lower() if said in SPANS and part == SINCE else None
            told = seen_time(instant, zone, now) if instant else f"{said} (no time)"
            chips.append(Chip(words or f"{word} {told}", moved(address, **{part: None})))
    labels = {question.question_id: question for question in offered.questions}
    wanted = answers_of(address)
    for one in wanted:
        rest = tuple(other for other in wanted if other != one)
        words = f"{answer_words(one, labels)}, {one.at_least:.0%} sure"
        chips.append(Chip(words, moved(address, **{ANSWERS: answers_words(rest)})))
    described = unpacked(address.get(DESCRIBED))
    for word in described:
        rest_words = packed(other for other in described if other != word)
        chips.append(Chip(f"described: {word}", moved(address, **{DESCRIBED: rest_words})))
    if address.get(SURE):
        chips.append(Chip(f"a person for sure: {_percent(address.get(SURE))}", moved(address, **{SURE: None})))
    return chips


def answer_words(asked: AnswerAsked, questions: Mapping[str, QuestionShape]) -> str:
    """An answer that is wanted, as one would say it.

    >>> hat = QuestionShape(question_id="7f", text="Hat?", label="hard hat", kind="predicate", answers=("yes", "no"))
    >>> answer_words(AnswerAsked(question="7f", answer="no"), {"7f": hat})
    'no hard hat'
    """
    question = questions.get(asked.question)
    label = question.label if question else asked.question
    if question is not None and question.kind == "predicate" and asked.answer in ("yes", "no"):
        return label if asked.answer == "yes" else f"no {label}"
    return f"{label}: {asked.answer}"


def chip_row(chips: Sequence[Chip]) -> Markup:
    """The filters that hold; each goes away at a click."""
    if not chips:
        return Markup()
    links = (
        tag(
            "a",
            tag("span", chip.words),
            icon("close"),
            class_="held",
            href=str(chip.without),
            aria_label=f"Remove the filter: {chip.words}",
        )
        for chip in chips
    )
    return tag("nav", *links, class_="held-filters", aria_label="Filters that hold")


def camera_menu(address: Address, offered: Offered) -> Markup:
    """Cameras and groups of them; several can be chosen."""
    chosen = unpacked(address.get(CAMERA))
    choose = partial(_toggled, address, CAMERA, chosen)
    groups = [choose(name, icon("workspaces")) for name in offered.groups]
    cameras = [choose(name, icon("videocam")) for name in offered.cameras]
    if not cameras:
        return Markup()
    return _menu("Cameras", len(chosen), together(*groups, *cameras))


def answer_menu(address: Address, offered: Offered) -> Markup:
    """Every question with its answers, and how sure an answer must be."""
    wanted = answers_of(address)
    if not offered.questions:
        return Markup()
    rows = [_question(address, question, wanted) for question in offered.questions]
    least = f"{wanted[0].at_least:g}" if wanted else "0.5"
    sure = [
        _link(
            words,
            moved(address, **{ANSWERS: answers_words([replace_share(one, float(share)) for one in wanted])}),
            is_chosen=share == least,
        )
        for share, words in SHARES
    ]
    if wanted:
        rows.append(tag("div", tag("span", "At least", class_="about"), *sure, class_="asked-row"))
    return _menu("Answers", len(wanted), together(*rows), also="wide")


def sure_menu(address: Address) -> Markup:
    """How sure the detector must be that it is a person."""
    here = address.get(SURE)
    links = (
        _link(words, moved(address, **{SURE: share}), is_chosen=here == share, style="choice")
        for share, words in ((None, "Whoever was found"), *((share, f"At least {words}") for share, words in SHARES))
    )
    return _menu("Certainty", 1 if here else 0, together(*links))


def by_menu(address: Address) -> Markup:
    """What the words are compared with."""
    here = by_of(address)
    links = (
        _link(
            words,
            moved(address, **{BY: None if by is By.BOTH else by.value}),
            is_chosen=by is here,
            style="choice",
        )
        for by, words in BY_WORDS.items()
    )
    summary = tag("summary", icon("tune"), tag("span", BY_WORDS[here]), icon("arrow_drop_down"), class_="act")
    return tag("details", summary, tag("div", *links, class_="choices"), class_="menu by", name="filter")


def time_links(address: Address) -> Markup:
    """Stretches of time that one click chooses."""
    here = address.get(SINCE) if not address.get(UNTIL) else ""
    return together(
        *(
            _link(words, moved(address, **{SINCE: span, UNTIL: None}), is_chosen=here == span, style="choice")
            for span, words in ((None, "Any time"), *SPANS.items())
        )
    )


def layouts(address: Address) -> Markup:
    """The contact sheet and the timeline."""
    here = address.get(VIEW)
    links = (
        tag(
            "a",
            icon(drawing),
            tag("span", words),
            href=str(moved(address, **{VIEW: view})),
            aria_current="true" if here == view else None,
        )
        for view, words, drawing in ((None, "Sheet", "grid_view"), (TIMELINE, "Timeline", "view_timeline"))
    )
    return tag("nav", *links, class_="filters layouts", aria_label="Layout") if is_asking(address) else Markup()


def replace_share(asked: AnswerAsked, at_least: float) -> AnswerAsked:
    """The same answer, wanted with another certainty."""
    return asked.model_copy(update={"at_least": at_least})


def _question(address: Address, question: QuestionShape, wanted: Sequence[AnswerAsked]) -> Markup:
    least = wanted[0].at_least if wanted else 0.5
    links = []
    for answer in (*question.answers, CANNOT_TELL):
        one = AnswerAsked(question=question.question_id, answer=answer, at_least=least)
        is_chosen = any((w.question, w.answer) == (one.question, answer) for w in wanted)
        others = [w for w in wanted if w.question != one.question]
        changed = others if is_chosen else [*others, one]
        links.append(_link(answer, moved(address, **{ANSWERS: answers_words(changed)}), is_chosen=is_chosen))
    return tag("div", tag("span", question.label, class_="about"), *links, class_="asked-row", title=question.text)


def _toggled(address: Address, part: str, chosen: Sequence[str], name: str, drawing: Markup) -> Markup:
    is_chosen = name in chosen
    changed = [one for one in chosen if one != name] if is_chosen else [*chosen, name]
    return tag(
        "a",
        drawing,
        tag("span", name),
        class_="choice",
        href=str(moved(address, **{part: packed(changed)})),
        aria_current="true" if is_chosen else None,
    )


def _link(words: str, to: Address, *, is_chosen: bool, style: str = "pill") -> Markup:
    return tag("a", words, class_=style, href=str(to), aria_current="true" if is_chosen else None)


def _menu(words: str, number: int, inside: Markup, also: str = "") -> Markup:
    told = tag("span", f"{number}", class_="many") if number else Markup()
    summary = tag("summary", tag("span", words), told, icon("arrow_drop_down"), class_="act")
    choices = tag("div", inside, class_=f"choices {also}".strip())
    return tag("details", summary, choices, class_="menu on" if number else "menu", name="filter")


def _percent(share: str | None) -> str:
    try:
        return f"{float(share or ''):.0%}"
    except ValueError:
        return f"{share}"
