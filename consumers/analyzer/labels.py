"""What is written beside a person in an annotated video, drawn as small pictures. Pure.

Colour never carries meaning alone: every answer has its mark, ✓ ✗ or ?, and its word.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from model.questions import CANNOT_TELL, UNMEASURED
from streamer.bus.manifest import PersonSeen
from streamer.bus.messages import AskedQuestion

Colour = tuple[int, int, int]
Picture = npt.NDArray[np.uint8]

YES, NO, UNSURE, CHOSEN = (72, 205, 120), (255, 120, 90), (190, 190, 190), (120, 190, 255)
TEXT, GROUND = (255, 255, 255), (16, 18, 22, 205)
# Apart in hue and in lightness (Okabe and Ito), so that neighbours differ for everyone.
PEOPLE: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (204, 121, 167),
    (240, 228, 66),
    (0, 158, 115),
    (213, 94, 0),
    (120, 150, 255),
)
PADDING_PX = 4
NOTHING = "none"  # the answer of a choice about something that is not there


@dataclass(frozen=True, slots=True)
class Line:
    """One answer: its mark, its words and its colour."""

    mark: str
    text: str
    colour: Colour


def answer_lines(person: PersonSeen, questions: Sequence[AskedQuestion]) -> list[Line]:
    """One line an answer; a choice that cannot be told, or is about something that is not there, is left out."""
    lines: list[Line] = []
    refuted: list[str] = []
    for question in questions:
        probabilities = person.answers.get(question.question_id)
        if probabilities is None:
            continue
        answer = max(probabilities, key=lambda one: probabilities[one])
        about = question.label
        mark = f" ({UNMEASURED})" if question.question_id in person.unmeasured else ""
        if question.kind != "predicate":
            if answer not in (CANNOT_TELL, NOTHING) and not any(about.startswith(thing) for thing in refuted):
                lines.append(Line("-", f"{about}: {answer} {probabilities[answer]:.0%}{mark}", CHOSEN))
            continue
        if answer != "yes":
            refuted.append(about)
        if answer == CANNOT_TELL:
            reason = person.reasons.get(question.question_id, CANNOT_TELL)
            lines.append(Line("?", f"{about}: {reason}{mark}", UNSURE))
        else:
            drawn, colour = ("v", YES) if answer == "yes" else ("x", NO)
            lines.append(Line(drawn, f"{about} {probabilities[answer]:.0%}{mark}", colour))
    return lines


def person_colour(number: int) -> Colour:
    """The colour of the `number`-th person."""
    return PEOPLE[(number - 1) % len(PEOPLE)]


def draw_label(
    number: int, caption: str, lines: Sequence[Line], *, text_px: int, width_px: int, caption_lines: int = 3
) -> Picture:
    """A person's label, (h, w, 4) uint8 RGBA; the caption is wrapped at `width_px`.

    Args:
        number: The person's number.
        caption: What HumanVLM says.
        lines: The answers.
        text_px: Height of the letters.
        width_px: Where the caption is wrapped; an answer is never cut, and may be wider.
        caption_lines: The most lines the caption may take; 0 leaves it out.
    """
    font = ImageFont.load_default(size=text_px)
    letters = max(8, int((width_px - 2 * PADDING_PX) / font.getlength("n")))
    wrapped = [f"#{number}"]
    if caption_lines:
        wrapped = textwrap.wrap(f"#{number}  {caption}", letters, max_lines=caption_lines, placeholder=" …")
    step = round(text_px * 1.25)
    indent = round(text_px * 1.2)
    widths = [font.getlength(text) for text in wrapped] + [indent + font.getlength(line.text) for line in lines]
    size = int(max(widths)) + 3 * PADDING_PX, step * (len(wrapped) + len(lines)) + 2 * PADDING_PX
    picture = Image.new("RGBA", size, GROUND)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 3, size[1]), fill=(*person_colour(number), 255))
    top = PADDING_PX
    for text in wrapped:
        draw.text((PADDING_PX + 3, top), text, font=font, fill=TEXT)
        top += step
    for line in lines:
        _draw_mark(draw, line, (PADDING_PX + 4, top + round(text_px * 0.2)), text_px)
        draw.text((PADDING_PX + indent + 3, top), line.text, font=font, fill=line.colour)
        top += step
    return np.asarray(picture)


def _draw_mark(draw: ImageDraw.ImageDraw, line: Line, corner: tuple[int, int], text_px: int) -> None:
    """Tick, cross, question mark or dash, as lines: fonts at hand may lack them."""
    left, top = corner
    size = round(text_px * 0.7)
    thick = max(2, text_px // 7)
    strokes = {
        "v": [((0.0, 0.55), (0.35, 0.95)), ((0.35, 0.95), (1.0, 0.05))],
        "x": [((0.05, 0.05), (0.95, 0.95)), ((0.95, 0.05), (0.05, 0.95))],
        "-": [((0.1, 0.5), (0.9, 0.5))],
    }
    for (x1, y1), (x2, y2) in strokes.get(line.mark, []):
        ends = (left + x1 * size, top + y1 * size, left + x2 * size, top + y2 * size)
        draw.line(ends, fill=line.colour, width=thick)
    if line.mark == "?":
        draw.text((left, top - text_px * 0.2), "?", font=ImageFont.load_default(size=text_px), fill=line.colour)
