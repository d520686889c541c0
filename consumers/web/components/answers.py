"""Answers as chips in lists and as lengths in full. Pure.

A predicate's bar is the probability of *yes* among yes and no; the notch is the threshold, one half.
"""

from collections.abc import Sequence

from consumers.web.components.markup import Markup, icon, tag
from consumers.web.schemas import AnswerShape
from consumers.web.wording import chosen, count
from model.questions import CANNOT_TELL

THRESHOLD = 0.5
NOTHING = "none"  # what a choice says of a thing that is not there: the predicate beside it has said so already
VERDICTS = {"yes": ("yes", "check"), "no": ("no", "close"), CANNOT_TELL: ("unsure", "question_mark")}


def answer_chips(answers: Sequence[AnswerShape]) -> Markup:
    """A list of chips; several answers that are unknown for one reason share one."""
    told = [answer for answer in answers if answer.answer not in (CANNOT_TELL, NOTHING)]
    untold = [answer for answer in answers if answer.answer == CANNOT_TELL]
    reasons = dict.fromkeys(answer.reason for answer in untold)
    shared = [_untold_chip([answer for answer in untold if answer.reason == reason], reason) for reason in reasons]
    return tag("ul", *map(_chip, told), *shared, class_="answers")


def answer_lengths(answers: Sequence[AnswerShape]) -> Markup:
    """Every question with every answer's probability as a length."""
    return tag("ul", *map(_question, answers), class_="questions")


def numbers(answer: AnswerShape) -> str:
    """The probabilities in figures.

    >>> numbers(AnswerShape(question_id="q", text="Hat?", label="hat", kind="predicate", answer="yes",
    ...                     probabilities={"yes": 0.94, "no": 0.05, "cannot tell": 0.01}))
    'yes 94%, no 5%, cannot tell 1%'
    """
    return ", ".join(f"{name} {probability:.0%}" for name, probability in answer.probabilities.items())


def length_of(answer: AnswerShape) -> float:
    """How long a chip's bar is, 0..1: of a predicate *yes* against *no*, of a choice the chosen answer."""
    if answer.kind != "predicate":
        return answer.probabilities[answer.answer]
    yes, no = answer.probabilities.get("yes", 0.0), answer.probabilities.get("no", 0.0)
    return yes / (yes + no) if yes + no else 0.0


def _chip(answer: AnswerShape) -> Markup:
    style = VERDICTS.get(answer.answer, ("pick", ""))[0]
    words = answer.label if answer.kind == "predicate" else chosen(answer.label, answer.answer)
    return tag(
        "li",
        f"{words} ({answer.reason})" if answer.reason else words,
        class_=f"chip {style}",
        title=f"{answer.text} {numbers(answer)}",
        style=f"--p:{length_of(answer):.3f};--threshold:{THRESHOLD}",
    )


def _untold_chip(answers: Sequence[AnswerShape], reason: str | None) -> Markup:
    about = answers[0].label if len(answers) == 1 else count(len(answers), "question")
    asked = "; ".join(f"{answer.text} {numbers(answer)}" for answer in answers)
    return tag("li", f"{about}: {reason or CANNOT_TELL}", class_="chip unsure", title=f"Cannot tell. {asked}")


def _question(answer: AnswerShape) -> Markup:
    style, drawing = VERDICTS.get(answer.answer, ("pick", "label"))
    verdict = f"{answer.answer}: {answer.reason}" if answer.reason else answer.answer
    return tag(
        "li",
        tag("span", answer.text),
        tag("span", icon(drawing), tag("span", verdict), class_=f"verdict {style}"),
        _bar(answer),
        class_="question",
        title=numbers(answer),
    )


def _bar(answer: AnswerShape) -> Markup:
    """All lengths in one bar; the notch is where *yes* would have to reach to be the answer."""
    lengths = (
        tag("i", class_=_part(name, answer), style=f"--p:{probability:.3f}")
        for name, probability in answer.probabilities.items()
    )
    if answer.kind != "predicate":
        return tag("div", *lengths, role="img", aria_label=numbers(answer), class_="lengths")
    decided = answer.probabilities.get("yes", 0.0) + answer.probabilities.get("no", 0.0)
    mark = f"--mark:{decided * THRESHOLD:.3f}"
    return tag("div", *lengths, role="img", aria_label=numbers(answer), class_="lengths marked", style=mark)


def _part(name: str, answer: AnswerShape) -> str:
    return VERDICTS.get(name, ("pick" if name == answer.answer else "other", ""))[0]
