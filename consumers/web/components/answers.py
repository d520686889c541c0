"""Answers as chips in lists and as lengths in full.

A predicate's bar is the probability of *yes* among yes and no; the notch is the threshold, one half.
"""

from collections.abc import Sequence

from consumers.web.components.words import Words, icon
from consumers.web.schemas import AnswerShape
from consumers.web.wording import count
from model.questions import CANNOT_TELL

THRESHOLD = 0.5
NOTHING = "none"  # what a choice says of a thing that is not there: the predicate beside it has said so already
VERDICTS = {"yes": ("yes", "check"), "no": ("no", "close"), CANNOT_TELL: ("unsure", "question_mark")}


def answer_chips(answers: Sequence[AnswerShape]) -> None:
    """A list of chips; many answers that are unknown for one reason share one."""
    with Words("ul", "", "answers"):
        told = [answer for answer in answers if answer.answer not in (CANNOT_TELL, NOTHING)]
        untold = [answer for answer in answers if answer.answer == CANNOT_TELL]
        for answer in told:
            _chip(answer)
        for reason in dict.fromkeys(answer.reason for answer in untold):
            _untold_chip([answer for answer in untold if answer.reason == reason], reason)


def answer_lengths(answers: Sequence[AnswerShape]) -> None:
    """Every question with every answer's probability as a length."""
    with Words("ul", "", "questions"):
        for answer in answers:
            _question(answer)


def numbers(answer: AnswerShape) -> str:
    """The probabilities in figures.

    >>> numbers(AnswerShape(question_id="q", text="Hat?", label="hat", kind="predicate", answer="yes",
    ...                     probabilities={"yes": 0.94, "no": 0.05, "cannot tell": 0.01}))
    'yes 94%, no 5%, cannot tell 1%'
    """
    return ", ".join(f"{name} {probability:.0%}" for name, probability in answer.probabilities.items())


def length_of(answer: AnswerShape) -> float:
    """How long a chip's bar is, 0..1: of a predicate *yes* against *no*, of a choice the chosen answer."""
    if answer.kind == "choice":
        return answer.probabilities[answer.answer]
    yes, no = answer.probabilities.get("yes", 0.0), answer.probabilities.get("no", 0.0)
    return yes / (yes + no) if yes + no else 0.0


def _chip(answer: AnswerShape) -> None:
    style = VERDICTS.get(answer.answer, ("pick", ""))[0]
    words = answer.label if answer.kind == "predicate" else f"{answer.label}: {answer.answer}"
    chip = Words("li", words, f"chip {style}", title=f"{answer.text} {numbers(answer)}")
    chip.style(f"--p:{length_of(answer):.3f};--threshold:{THRESHOLD}")


def _untold_chip(answers: Sequence[AnswerShape], reason: str | None) -> None:
    about = answers[0].label if len(answers) == 1 else count(len(answers), "question")
    words = f"{about}: {reason or CANNOT_TELL}"
    asked = "; ".join(f"{answer.text} {numbers(answer)}" for answer in answers)
    Words("li", words, "chip unsure", title=f"Cannot tell. {asked}").style("--p:0")


def _question(answer: AnswerShape) -> None:
    style, drawing = VERDICTS.get(answer.answer, ("pick", "label"))
    with Words("li", "", "question", title=numbers(answer)):
        Words("span", answer.text)
        with Words("span", "", f"verdict {style}"):
            icon(drawing)
            Words("span", answer.answer)
        marked = " marked" if answer.kind == "predicate" else ""
        with Words("div", "", f"lengths{marked}", role="img", aria_label=numbers(answer)):
            for name, probability in answer.probabilities.items():
                part = VERDICTS.get(name, ("pick" if name == answer.answer else "other", ""))[0]
                Words("i", "", part).style(f"--p:{probability:.3f}")
        if answer.reason:
            Words("span", f"Cannot tell: {answer.reason}", "why")
