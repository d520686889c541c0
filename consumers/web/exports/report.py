"""An export's report as one HTML file that stands beside the others and needs no network. Pure."""

from datetime import datetime

from consumers.web.components.markup import Markup, tag, together
from consumers.web.exports.record import SUMS, Export, PackedFile, PackedPerson
from consumers.web.schemas import AnswerShape
from consumers.web.wording import count, lasted, time_from
from streamer.bus.media import is_picture_uri
from streamer.bus.messages import TimeOrigin

HOW_TO_VERIFY = (
    f"Unpack the archive and run “sha256sum -c {SUMS}” in its folder (macOS: “shasum -a 256 -c {SUMS}”; Windows: "
    f"“certutil -hashfile FILE SHA256”, compared with the line of {SUMS}). Every line must say OK. The sums show that "
    f"no file was changed since it was exported; that {SUMS} itself is the one that was exported shows its own sum, "
    "which the audit log of the desk holds under this export."
)
WHAT_IT_IS = (
    "What is said of people here was said by models, each with its probability: it points at footage and proves "
    "nothing by itself. The clips are copies, byte for byte, of the footage as it was recorded."
)
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 980px; margin: 32px auto; padding: 0 20px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 0 0 6px; } p { margin: 6px 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 10px 0; }
dt { opacity: .72; } dd { margin: 0; }
article {
  border-top: 1px solid #8886; padding: 24px 0; display: grid; grid-template-columns: 180px minmax(0, 1fr); gap: 20px;
  break-inside: avoid;
}
article img { width: 180px; border-radius: 6px; }
article img.whole { width: 100%; max-width: 560px; }
video { width: 100%; max-width: 560px; border-radius: 6px; background: #000; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; margin: 10px 0; }
td, th { text-align: left; padding: 4px 10px 4px 0; vertical-align: top; border-bottom: 1px solid #8883; }
code { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.gone { border-left: 4px solid #b3261e; padding-left: 12px; }
@media (max-width: 620px) { article { grid-template-columns: 1fr; } }
"""


def html_report(export: Export) -> str:
    """The whole report."""
    body = together(
        tag("h1", f"{count(len(export.people), 'person', 'people')} from {export.site_name}"),
        tag("p", WHAT_IT_IS),
        _head(export),
        _gone(export),
        *(_person(packed, export) for packed in export.people),
        tag("h2", "How to verify"),
        tag("p", HOW_TO_VERIFY),
    )
    head = together(
        tag("title", f"Export from {export.site_name}"),
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width">'),
        Markup(f"<style>{STYLE}</style>"),
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def instant(at: datetime, export: Export) -> str:
    """An instant in the report's zone."""
    return f"{at.astimezone(export.zone):%Y-%m-%d %H:%M:%S %Z}"


def facts_of(packed: PackedPerson, export: Export) -> list[tuple[str, str]]:
    """What is known of one person, and from whom."""
    person, origin = packed.person, TimeOrigin(packed.person.time_origin)
    first, last = (instant(at, export) for at in (person.first_seen_at, person.last_seen_at))
    is_picture = is_picture_uri(person.clip.url)
    begun = instant(person.clip.started_at, export)
    seen = [
        ("Seen", f"{first} until {last} ({lasted(person.first_seen_at, person.last_seen_at)})"),
        ("In the clip", f"best at second {person.clip.at_s:.1f}; the clip begins {begun}"),
    ]
    shown = f"{person.crop.width_px} × {person.crop.height_px} px, sure it is a person: {person.detection_score:.0%}"
    said = person.revisions
    return [
        ("Camera", person.camera_id),
        *([("Taken", first)] if is_picture else seen),
        ("Time from", time_from(origin, is_picture=is_picture)),
        ("Picture", shown),
        ("Models", ", ".join(f"{name.replace('_', ' ')} {revision}" for name, revision in sorted(said.items()))),
        ("Person", person.person_id),
        ("Track", person.track_id),
    ]


def answer_words(answer: AnswerShape) -> tuple[str, str, str]:
    """Question, answer, and every answer's probability."""
    shares = ", ".join(f"{name} {share:.0%}" for name, share in answer.probabilities.items())
    return answer.text, f"{answer.answer} ({answer.reason})" if answer.reason else answer.answer, shares


def head_of(export: Export) -> list[tuple[str, str]]:
    """Who exported what, when and why."""
    note = [("Note", export.note)] if export.note else []
    return [
        ("Exported by", export.who),
        ("At", f"{instant(export.at, export)} ({export.at:%Y-%m-%d %H:%M:%S} UTC)"),
        *note,
        ("Missing", count(export.missing, "file or person", "files or people") if export.missing else "nothing"),
    ]


def title_of(packed: PackedPerson) -> str:
    """What a person is called in the report."""
    caption = packed.person.caption or "Nothing could be described."
    return f"{packed.number}. {caption[:1].upper()}{caption[1:]}"


def files_of(packed: PackedPerson) -> list[PackedFile]:
    """The files of one person."""
    return [file for file in (packed.clip, packed.crop, packed.record) if file is not None]


def _head(export: Export) -> Markup:
    return _entries(head_of(export))


def _gone(export: Export) -> Markup:
    if not export.gone:
        return Markup()
    who = ", ".join(export.gone)
    return tag(
        "p", f"Chosen, and not there any more when this was packed (erased, or never known): {who}", class_="gone"
    )


def _person(packed: PackedPerson, export: Export) -> Markup:
    person = packed.person
    image = tag("img", src=packed.crop.name, alt="") if packed.crop else tag("p", "No picture.")
    answers = (tag("tr", *(tag("td", words) for words in answer_words(answer))) for answer in person.answers)
    head = tag("tr", tag("th", "Question"), tag("th", "Answer"), tag("th", "Probabilities"))
    files = (
        tag(
            "tr",
            tag("td", tag("a", file.name, href=file.name)),
            tag("td", f"{file.size_bytes:,} bytes"),
            tag("td", tag("code", file.sha256)),
        )
        for file in files_of(packed)
    )
    return tag(
        "article",
        tag("div", image),
        tag(
            "div",
            tag("h2", title_of(packed)),
            *(tag("p", words, class_="gone") for words in packed.missing),
            _footage(packed),
            _entries(facts_of(packed, export)),
            tag("table", head, *answers) if person.answers else Markup(),
            tag("table", tag("tr", tag("th", "File"), tag("th", "Size"), tag("th", "SHA-256")), *files),
        ),
    )


def _footage(packed: PackedPerson) -> Markup:
    """The clip, which begins at the second of the best look, or the picture."""
    if packed.clip is None:
        return Markup()
    if is_picture_uri(packed.clip.name):
        return tag("img", src=packed.clip.name, alt="", class_="whole")
    begin = f"{packed.clip.name}#t={packed.person.clip.at_s:.1f}"
    return tag("video", src=begin, preload="metadata", controls="", muted="")


def _entries(told: list[tuple[str, str]]) -> Markup:
    return tag("dl", *(together(tag("dt", name), tag("dd", words)) for name, words in told))
