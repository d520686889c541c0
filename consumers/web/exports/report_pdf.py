"""An export's report as a PDF."""

import importlib.util
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

from PIL import Image as Picture
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Image, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from consumers.web.exports.record import Export, PackedFile, PackedPerson
from consumers.web.exports.report import HOW_TO_VERIFY, WHAT_IT_IS, answer_words, facts_of, files_of, head_of, title_of
from consumers.web.wording import count

MARGIN = 18 * mm
PADDING = 6  # points that a page keeps free on each side of what it shows
WIDTH = A4[0] - 2 * MARGIN - 2 * PADDING
PICTURE_WIDTH, PICTURE_HEIGHT = 32 * mm, 60 * mm
PICTURE_MOST_PX = 600
FONTS = {"Sans": "DejaVuSans.ttf", "Sans-Bold": "DejaVuSans-Bold.ttf", "Mono": "DejaVuSansMono.ttf"}
LINE = colors.HexColor("#b7c1cb")
GREY = colors.HexColor("#55616e")
RED = colors.HexColor("#b3261e")


def pdf_report(export: Export, pictures: Mapping[int, bytes]) -> bytes:
    """The whole report; `pictures` are the people's crops by their number."""
    _know_fonts()
    file = io.BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=f"Export from {export.site_name}",
        author=export.who,
        subject=count(len(export.people), "person", "people"),
    )
    story: list[Flowable] = [
        Paragraph(
            escape(f"{count(len(export.people), 'person', 'people')} from {export.site_name}"), _style(18, "Sans-Bold")
        ),
        Paragraph(escape(WHAT_IT_IS), _style(9)),
        Spacer(0, 3 * mm),
        _entries(head_of(export), WIDTH),
    ]
    if export.gone:
        words = f"Chosen, and not there any more when this was packed: {', '.join(export.gone)}"
        story.append(Paragraph(escape(words), _style(9, colour=RED)))
    for packed in export.people:
        story += _person(packed, export, pictures.get(packed.number))
    story += [
        Spacer(0, 6 * mm),
        Paragraph("How to verify", _style(12, "Sans-Bold")),
        Paragraph(escape(HOW_TO_VERIFY), _style(9)),
    ]
    document.build(story, onFirstPage=_number, onLaterPages=_number)
    return file.getvalue()


def _person(packed: PackedPerson, export: Export, picture: bytes | None) -> list[Flowable]:
    facts: list[Flowable] = [Paragraph(escape(title_of(packed)), _style(11, "Sans-Bold"))]
    facts += [Paragraph(escape(words), _style(9, colour=RED)) for words in packed.missing]
    facts.append(_entries(facts_of(packed, export), WIDTH - PICTURE_WIDTH - 4 * mm))
    beside = WIDTH - PICTURE_WIDTH - 4 * mm
    head = Table([[_image(picture), facts]], [PICTURE_WIDTH + 4 * mm, beside], hAlign="LEFT")
    head.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)])
    answers = [[_words(words) for words in answer_words(answer)] for answer in packed.person.answers]
    files = [[_file(file)] for file in files_of(packed)]
    tables: list[Flowable] = [_table(answers, [0.46 * WIDTH, 0.2 * WIDTH, 0.34 * WIDTH])] if answers else []
    tables.append(_table(files, [WIDTH]))
    return [Spacer(0, 6 * mm), KeepTogether([head, Spacer(0, 2 * mm), *tables])]


def _image(picture: bytes | None) -> Flowable:
    """The crop, no larger than it has to be in print; what cannot be read is said."""
    if picture is None:
        return Paragraph("No picture.", _style(9, colour=GREY))
    try:
        with Picture.open(io.BytesIO(picture)) as image:
            image.thumbnail((PICTURE_MOST_PX, PICTURE_MOST_PX))
            shown, (width, height) = image.convert("RGB"), image.size
    except (OSError, ValueError):
        return Paragraph("The picture cannot be read.", _style(9, colour=RED))
    file = io.BytesIO()
    shown.save(file, "JPEG", quality=88)
    scale = min(PICTURE_WIDTH / width, PICTURE_HEIGHT / height)
    return Image(file, width * scale, height * scale, hAlign="LEFT")


def _entries(told: Sequence[tuple[str, str]], width: float) -> Table:
    rows = [[Paragraph(escape(name), _style(8.5, colour=GREY)), _words(words)] for name, words in told]
    return _table(rows, [24 * mm, width - 24 * mm], lined=False)


def _table(rows: Sequence[Sequence[Flowable]], widths: Sequence[float], *, lined: bool = True) -> Table:
    table = Table([list(row) for row in rows], widths, hAlign="LEFT")
    table.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 1.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
            ("LINEABOVE", (0, 0), (-1, -1), 0.3 if lined else 0, LINE if lined else colors.white),
        ]
    )
    return table


def _words(words: str) -> Paragraph:
    return Paragraph(escape(words), _style(8.5))


def _file(file: PackedFile) -> Paragraph:
    sum_ = f'<font name="Mono" size="7.5">{file.sha256}</font>'
    return Paragraph(f"{escape(file.name)}, {file.size_bytes:,} bytes<br/>{sum_}", _style(8.5))


@lru_cache(64)
def _style(size: float, font: str = "Sans", colour: colors.Color = colors.black) -> ParagraphStyle:
    return ParagraphStyle(
        f"{font}{size}", fontName=font, fontSize=size, leading=size * 1.4, textColor=colour, splitLongWords=True
    )


def _number(canvas: object, document: SimpleDocTemplate) -> None:
    canvas.setFont("Sans", 8)  # type: ignore[attr-defined]
    canvas.setFillColor(GREY)  # type: ignore[attr-defined]
    canvas.drawRightString(A4[0] - MARGIN, 10 * mm, f"{document.page}")  # type: ignore[attr-defined]


@lru_cache(1)
def _know_fonts() -> None:
    """The fonts that matplotlib brings: PDF's own know no letters beyond Western Europe's."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None  # a dependency of ours
    folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
    for name, file in FONTS.items():
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))
