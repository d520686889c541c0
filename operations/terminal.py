"""What the terminal shows while footage is watched: a bar for each source, a line for each person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

MARKS = {"yes": ("✓", "green"), "no": ("✗", "red"), "cannot tell": ("?", "bright_black")}
OTHER_MARK = ("·", "cyan")  # an answer in words: the colour of something


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """How much of one source is through; `duration_s` is None while it is not known."""

    name: str
    analyzed_s: float
    duration_s: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class PersonLine:
    """One person as a line says it; `answers` maps a question's label to its answer."""

    seen_at: datetime
    camera_id: str
    caption: str
    answers: Mapping[str, str]


class Terminal:
    """Bars that stay at the bottom while person lines go by above; plain lines where there is no terminal."""

    def __init__(self, console: Console) -> None:
        """Write to `console`."""
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),  # file names are no markup
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        """Show one line of plain words."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def show_progress(self, sources: Sequence[SourceProgress]) -> None:
        """Bring the bars up to date; a source seen for the first time gets one."""
        for source in sources:
            if source.name not in self._tasks:
                self._tasks[source.name] = self._bars.add_task(source.name, total=None, note="")
            self._bars.update(
                self._tasks[source.name], completed=source.analyzed_s, total=source.duration_s, note=source.note
            )

    def show_person(self, person: PersonLine) -> None:
        """Show when, where, what is seen and what was answered."""
        line = Text(f"{person.seen_at.astimezone():%H:%M:%S}  ", style="bright_black")
        line.append(f"{person.camera_id}  ", style="bold")
        line.append(person.caption, style="default")
        for label, answer in person.answers.items():
            mark, colour = MARKS.get(answer, OTHER_MARK)
            said = label if answer in MARKS else f"{label}: {answer}"
            line.append(f"  {mark} {said}", style=colour)
        self._console.print(line, soft_wrap=True)
