import io
from datetime import UTC, datetime

from rich.console import Console

from operations.terminal import PersonLine, SourceProgress, Terminal


def test_a_person_is_one_line_with_time_camera_caption_and_marked_answers() -> None:
    written = io.StringIO()
    with Terminal(Console(file=written, width=200)) as terminal:
        terminal.show_person(
            PersonLine(
                datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
                "gate",
                "worker in a yellow hard hat",
                {"hard hat": "yes", "safety vest": "no", "mask": "cannot tell", "hat colour": "yellow"},
            )
        )
    line = written.getvalue()
    assert line.count("\n") == 1
    assert "gate  worker in a yellow hard hat  ✓ hard hat  ✗ safety vest  ? mask  · hat colour: yellow" in line


def test_a_bar_shows_how_much_of_a_source_is_through() -> None:
    written = io.StringIO()
    with Terminal(Console(file=written, width=100, force_terminal=True)) as terminal:
        terminal.show_progress([SourceProgress("gate", 0.0, None)])
        terminal.show_progress([SourceProgress("gate", 30.0, 40.0)])
    assert "75%" in written.getvalue()


def test_a_file_called_like_markup_is_shown_as_it_is_called() -> None:
    written = io.StringIO()
    with Terminal(Console(file=written, width=100, force_terminal=True)) as terminal:
        terminal.show_progress([SourceProgress("gate [/bold].mp4", 1.0, 2.0)])
    assert "gate [/bold].mp4" in written.getvalue()
