"""Corrections for the trainer: whole lines with their crops, the last word of an officer, nothing lost silently."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import FeedbackRecord
from consumers.errors import FeedbackError
from consumers.evidence.copier import CROP
from consumers.evidence.table import Copy, EvidenceTable
from consumers.feedback.export import FeedbackExport
from streamer.bus.media import MediaStore
from tests.builders_consumers import HAT, NOON
from tests.builders_notifying import a_desk, raise_alert

CROP_URI = "media:///crops/gate/s1.r1/001-002000.jpg"
QUESTION = {"question_id": HAT.question_id, "kind": HAT.kind, "text": HAT.text, "answers": list(HAT.answers)}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskDatabase]:
    opened = a_desk(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    made = MediaStore(str(tmp_path / "media"))
    made.write(CROP_URI, b"\xff\xd8 a crop")
    return made


def correct(desk: DeskDatabase, **changes: Any) -> None:
    """Enter a correction as the page does."""
    said = {
        "kind": "false alarm", "alert_id": None, "person_id": "p1", "camera_id": "gate", "segment_id": "s1",
        "crop_uri": CROP_URI, "question": QUESTION, "answer": "yes", "answer_revision": "humanvlm-1",
        "seen_at": NOON, "given_at": NOON + timedelta(hours=1), "by": "anna",
    }  # fmt: skip
    with desk.writing() as session:
        session.add(FeedbackRecord(**{**said, **changes}))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "feedback.jsonl").read_text().splitlines()]


def test_a_correction_becomes_a_line_with_its_crop_beside_it(
    desk: DeskDatabase, store: MediaStore, tmp_path: Path
) -> None:
    correct(desk)
    exported = FeedbackExport(desk, store).write(tmp_path / "out")
    assert (exported.written, exported.left_out) == (1, ())
    (line,) = lines(tmp_path / "out")
    assert line == {
        "crop": "crops/crops_gate_s1.r1_001-002000.jpg",
        "question": {"kind": "predicate", "text": HAT.text, "answers": ["yes", "no"]},
        "answer": "yes",
        "provenance": {
            "person_id": "p1", "camera_id": "gate", "segment_id": "s1", "at": "2026-03-01T12:00:00Z", "by": "anna",
            "kind": "false alarm", "answer_revision": "humanvlm-1",
        },
    }  # fmt: skip
    assert (tmp_path / "out" / line["crop"]).read_bytes() == b"\xff\xd8 a crop"


def test_the_last_word_about_a_crop_and_a_question_counts(
    desk: DeskDatabase, store: MediaStore, tmp_path: Path
) -> None:
    correct(desk, answer="yes", by="anna")
    correct(desk, answer="no", by="bert", kind="missed")
    correct(desk, question={**QUESTION, "text": "Is this person wearing a safety vest?"})
    FeedbackExport(desk, store).write(tmp_path / "out")
    said = [(line["question"]["text"], line["answer"], line["provenance"]["by"]) for line in lines(tmp_path / "out")]
    assert said == [(HAT.text, "no", "bert"), ("Is this person wearing a safety vest?", "yes", "anna")]


def test_a_crop_that_retention_took_is_read_from_the_evidence(
    desk: DeskDatabase, store: MediaStore, tmp_path: Path
) -> None:
    raise_alert(desk, "a1", crop_uri=CROP_URI)
    store.write("media:///evidence/a1/crop.jpg", b"\xff\xd8 the copy")
    copy = Copy(CROP, "media:///evidence/a1/crop.jpg", "0" * 64, 9)
    EvidenceTable(desk).record("a1", copy, copied_at=NOON, keep_until=None)
    store.remove(CROP_URI)
    correct(desk, alert_id="a1")
    FeedbackExport(desk, store).write(tmp_path / "out")
    (line,) = lines(tmp_path / "out")
    assert (tmp_path / "out" / line["crop"]).read_bytes() == b"\xff\xd8 the copy"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answer": "perhaps"}, "'perhaps' is none of the answers"),
        ({"crop_uri": "media:///crops/gone.jpg"}, "its crop is neither"),
        ({"question": {"kind": "score"}}, "it does not fit"),
        ({"kind": "hunch"}, "it does not fit"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_said(
    desk: DeskDatabase, store: MediaStore, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    correct(desk, **changes)
    correct(desk, crop_uri=CROP_URI, question={**QUESTION, "text": "Another?"})
    exported = FeedbackExport(desk, store).write(tmp_path / "out")
    assert exported.written == len(lines(tmp_path / "out")) == 1
    (left_out,) = exported.left_out
    assert reason in left_out


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    desk: DeskDatabase, store: MediaStore, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(FeedbackError, match="out: "):
        FeedbackExport(desk, store).write(tmp_path / "out")


def test_the_command_says_how_many_and_where(
    desk: DeskDatabase, store: MediaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from consumers.feedback.cli import app

    correct(desk)
    correct(desk, answer="perhaps", question={**QUESTION, "text": "Another?"})
    monkeypatch.setenv("CREWSIGHT_STATE__FOLDER", str(tmp_path))
    said = CliRunner().invoke(app, ["export", "--out", str(tmp_path / "out")])
    assert said.exit_code == 0
    assert f"1 corrections in {tmp_path / 'out' / 'feedback.jsonl'}." in said.output
    assert "left out: correction 2" in said.output
