"""What a HumanVLM is worth on labelled photos that it never saw, through the same calls that an analyzer makes."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from model.crops import Crop, crop_person
from model.decisions import DecisionSheet
from model.folders import DECISIONS, checkpoint_folder
from model.humanvlm import SMALLEST_PERSON_PX, HumanVLM
from model.questions import CANNOT_TELL, Question
from trainer.augment import hidden_view
from trainer.people import Attributes, Person, labelled_answer, people_in
from trainer.photos import HARD_HAT, MASK, NO_HARD_HAT, NO_MASK, NO_VEST, PERSON, VEST, LabelledPhoto, labelled_photos
from trainer.scores import QuestionScore, recall_at, score_question
from trainer.texts import (
    FACE_MASK,
    HAT_COLOURS,
    QUESTIONS,
    SAFETY_VEST,
    VEST_COLOURS,
    agrees,
    answers_of,
    statements_of,
)
from trainer.texts import (
    HARD_HAT as HAT_QUESTION,
)

_PLAIN_WORDS: dict[str, str | dict[str, str]] = {
    "hat": {"yes": "wearing a hard hat", "no": "without a hard hat"},
    "vest": {"yes": "wearing a safety vest", "no": "without a safety vest"},
    "mask": {"yes": "wearing a face mask", "no": "without a face mask"},
    "hat colour": "in a {} hard hat",
    "vest colour": "in a {} safety vest",
    "top": "in a {} top",
    "trousers": "with {} trousers",
    "beside": "beside {}",
}
_DENIALS = ("no", "without a")
LISTED_FROM = 0.7  # of the 95% interval of balanced accuracy, the lower end
_HELD_BY_AT_MOST = 10  # a combination that half of the people have is no search


@dataclass(frozen=True, slots=True)
class LabelledLook:
    """One person as the analyzer would cut them out, with the labelled answers to `QUESTIONS`."""

    crop: Crop
    person: Person
    right: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one model. Shares are in 0..1; rates are per second."""

    people: int
    questions: dict[str, QuestionScore]
    told_when_hidden: float
    caption_names_hat: float
    caption_names_vest: float
    caption_hat_colour: float
    caption_vest_colour: float
    recall_at_1: float
    recall_at_10: float
    queries: int
    looks_per_s: float
    captions_per_s: float

    def as_markdown(self) -> str:
        """The figures as two tables."""
        lines = ["| question | people | balanced accuracy (95%) | abstentions wrong | abstained | ECE | recalls |"]
        lines.append("|---|---|---|---|---|---|---|")
        for text, score in self.questions.items():
            low, high = score.interval
            recalls = ", ".join(f"{answer} {recall:.2f}" for answer, recall in score.recalls.items())
            lines.append(
                f"| {text} | {score.asked} | {score.balanced_accuracy:.3f} ({low:.2f}-{high:.2f}) "
                f"| {score.strict_accuracy:.3f} | {score.abstained:.2f} | {score.calibration_error:.3f} | {recalls} |"
            )
        lines += ["", "| figure | value |", "|---|---|"]
        lines += [f"| {name} | {value:.3g} |" for name, value in asdict(self).items() if name != "questions"]
        return "\n".join(lines)


def measure(name: str, folder: Path, *, record: bool = False) -> Report:
    """Measure the model of a name; with `record`, write its figures into its `decision.json`.

    Raises:
        ModelFolderError: the name means no checkpoint.
        PhotosError: there are no readable photos.
    """
    report = evaluate_humanvlm(HumanVLM.load(name), folder)
    if record:
        record_figures(checkpoint_folder(name), report)
    return report


def evaluate_humanvlm(model: HumanVLM, folder: Path) -> Report:
    """Measure a model on the photos of a folder (`images/` and `labels/`).

    Raises:
        PhotosError: there are no readable photos.
    """
    looks = labelled_looks(labelled_photos(folder))
    crops = [look.crop for look in looks]
    seen = model.see(crops)
    captions = model.describe(seen)
    ranks = _ranks(model, looks)
    people = [look.person.attributes for look in looks]
    return Report(
        people=len(looks),
        questions=_questions(model, looks),
        told_when_hidden=_told_when_hidden(model, looks),
        caption_names_hat=_caption_names(captions, looks, HAT_QUESTION, ("hard hat", "helmet")),
        caption_names_vest=_caption_names(captions, looks, SAFETY_VEST, ("safety vest", "hi vis vest")),
        caption_hat_colour=_caption_colour(captions, people, "hat_colour", HAT_COLOURS, "hard hat"),
        caption_vest_colour=_caption_colour(captions, people, "vest_colour", VEST_COLOURS, "safety vest"),
        recall_at_1=recall_at(ranks, 1),
        recall_at_10=recall_at(ranks, 10),
        queries=len(ranks),
        looks_per_s=_rate(len(crops), lambda: _look(model, crops)),
        captions_per_s=_rate(len(crops), lambda: model.describe(seen)),
    )


def labelled_looks(photos: Iterable[LabelledPhoto]) -> list[LabelledLook]:
    """Everyone of some photos who is tall enough to be asked about."""
    return [
        LabelledLook(crop_person(photo.pixels, person.photo_box_xyxy), person, _right(photo, person))
        for photo in photos
        for person in people_in(photo, smallest_px=SMALLEST_PERSON_PX)
    ]


def record_figures(folder: Path, report: Report) -> None:
    """Write what was measured of each question into a checkpoint's `decision.json`, and all figures beside it.

    A question that may well be answered little better than by chance is struck off: it will get *cannot tell*.
    """
    path = folder / DECISIONS
    sheet = DecisionSheet.model_validate_json(path.read_text(encoding="utf-8"))
    questions = [
        stated.model_copy(update={"figures": {**stated.figures, **_figures(report.questions[stated.text])}})
        for stated in sheet.questions
        if stated.text in report.questions and report.questions[stated.text].interval[0] >= LISTED_FROM
    ]
    measured = sheet.model_copy(update={"questions": tuple(questions)})
    path.write_text(json.dumps(measured.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
    (folder / "metrics.json").write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")


def _figures(score: QuestionScore) -> dict[str, float]:
    return {
        "people": score.asked,
        "balanced_accuracy": round(score.balanced_accuracy, 4),
        "interval_low": round(score.interval[0], 4),
        "interval_high": round(score.interval[1], 4),
        "abstained": round(score.abstained, 4),
        "calibration_error": round(score.calibration_error, 4),
    }


def _right(photo: LabelledPhoto, person: Person) -> tuple[str | None, ...]:
    """The labelled answers to `QUESTIONS`; colours are those measured from the pixels."""
    box = person.photo_box_xyxy
    others = [labelled for labelled in photo.boxes if labelled.label != PERSON]
    worn = [
        labelled_answer(box, others, HARD_HAT, NO_HARD_HAT),
        labelled_answer(box, others, VEST, NO_VEST),
        labelled_answer(box, others, MASK, NO_MASK),
    ]
    return (*worn, *answers_of(person.attributes)[3:])


def _questions(model: HumanVLM, looks: Sequence[LabelledLook]) -> dict[str, QuestionScore]:
    asked = [question for question in QUESTIONS if question in model.questions]
    decided = model.decide([look.crop for look in looks], asked)
    scores = {}
    for column, question in enumerate(asked):
        index = QUESTIONS.index(question)
        known = [i for i, look in enumerate(looks) if look.right[index] not in (None, "hidden")]
        if known:
            right = [str(looks[i].right[index]) for i in known]
            scores[question.text] = score_question([decided[i][column] for i in known], right)
    return scores


def _told_when_hidden(model: HumanVLM, looks: Sequence[LabelledLook]) -> float:
    """Share of halves that hide the head or the torso of which the model says that it cannot tell."""
    told = []
    for part, questions in (("head", (HAT_QUESTION, FACE_MASK)), ("torso", (SAFETY_VEST,))):
        halves = [hidden_view(look.person, "head" if part == "head" else "torso") for look in looks]
        crops = [Crop(half.pixels, SMALLEST_PERSON_PX) for half in halves if half is not None]
        asked = [question for question in questions if question in model.questions]
        told += [d.answer == CANNOT_TELL for row in model.decide(crops, asked) for d in row]
    return float(np.mean(told)) if told else float("nan")


def _caption_names(
    captions: Sequence[str], looks: Sequence[LabelledLook], question: Question, words: Sequence[str]
) -> float:
    """Balanced accuracy of captions read as an answer: the thing is named, and not denied."""
    index = QUESTIONS.index(question)
    pairs = [
        (any(w in c for w in words) and not any(f"{no} {w}" in c for w in words for no in _DENIALS), look.right[index])
        for c, look in zip(captions, looks, strict=True)
        if look.right[index] in ("yes", "no")
    ]
    recalls = [np.mean([named == (a == "yes") for named, a in pairs if a == answer]) for answer in ("yes", "no")]
    return float(np.mean(recalls))


def _caption_colour(
    captions: Sequence[str], people: Sequence[Attributes], attribute: str, allowed: Sequence[str], thing: str
) -> float:
    """Share of the coloured hats or vests whose caption says their measured colour."""
    colours = [(caption, getattr(person, attribute)) for caption, person in zip(captions, people, strict=True)]
    said = [f"{colour} {thing}" in caption for caption, colour in colours if colour in allowed]
    return float(np.mean(said)) if said else float("nan")


def _ranks(model: HumanVLM, looks: Sequence[LabelledLook]) -> list[int]:
    """For every attribute combination held by few: the rank of the first person whom it fits."""
    people = [look.person.attributes for look in looks]
    vectors = model.embed([look.crop for look in looks])
    held = [statements_of(person) for person in people]
    combinations = {tuple(sorted(h.items())): h for h in held if h}
    ranks = []
    for stated in combinations.values():
        fits = np.array([agrees(stated, person) is True for person in people])
        if 0 < fits.sum() <= _HELD_BY_AT_MOST:
            order = np.argsort(-(vectors @ model.embed_text(_query(stated)).vector), kind="stable")
            ranks.append(int(np.argmax(fits[order])) + 1)
    return ranks


def _query(stated: Mapping[str, str]) -> str:
    """A person in plain words.

    >>> _query({"hat colour": "yellow", "vest": "no"})
    'person in a yellow hard hat, without a safety vest'
    """
    phrases = []
    for name, value in stated.items():
        if f"{name} colour" in stated:
            continue
        wording = _PLAIN_WORDS[name]
        phrases.append(wording[value] if isinstance(wording, dict) else wording.format(value))
    return f"person {', '.join(phrases)}"


def _look(model: HumanVLM, crops: Sequence[Crop]) -> None:
    seen = model.see(crops)
    model.decide(seen, model.questions)
    model.embed(seen)


def _rate(count: int, work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return count / (time.perf_counter() - started_s)
