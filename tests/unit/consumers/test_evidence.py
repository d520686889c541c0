"""Copies of what an alert is about: complete, across borders, once, provable, kept as long as somebody says."""

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from consumers.alerts.schema import SeenSegmentRecord
from consumers.errors import EvidenceError
from consumers.evidence.copier import BOXED_FRAME, CLIP, CROP, FRAME, KINDS, EvidenceCopier, Keeping, proven
from consumers.evidence.erasing import erase_evidence_of_people
from consumers.evidence.footage import BOX_COLOUR, Piece, cut_clip, frame_at
from consumers.evidence.table import INCOMPLETE, Copy, EvidenceTable
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore
from streamer.bus.messages import SegmentReady
from tests.builders_consumers import NOON, a_manifest, a_segment
from tests.builders_notifying import RAISED_AT, Clock, a_desk, raise_alert
from tests.builders_pictures import half_red
from tests.builders_video import make_video, number_of, numbers_in

CROP_URI = "media:///crops/gate/s1.r1/001-000000.jpg"
FPS = 10


class Yard:
    """A desk and a media store with three segments of ten seconds that follow one another, 0 to 299 on their frames."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.store, self.desk, self.clock = folder, MediaStore(url), a_desk(folder), Clock()
        self.segments = [
            a_segment(
                name,
                started_at=NOON + timedelta(seconds=10 * index),
                previous=f"s{index - 1}" if index else None,
            )
            for index, name in enumerate(["s0", "s1", "s2"])
        ]
        self.table = EvidenceTable(self.desk)
        self.copier = self.new_copier()
        self.store.write(CROP_URI, b"\xff\xd8 the crop")

    def new_copier(self, store: MediaStore | None = None, **keeping: object) -> EvidenceCopier:
        return EvidenceCopier(self.table, store or self.store, Keeping(**keeping), now=self.clock)  # type: ignore[arg-type]

    def arrive(self, *indices: int) -> None:
        """Let segments be analysed and decided about."""
        for index in indices:
            ready = self.segments[index]
            video = numbered(self.folder / f"{ready.segment_id}.mp4", start=100 * index)
            self.store.write(ready.uri, video.read_bytes())
            uri = f"media:///results/gate/{ready.segment_id}.r1.json"
            self.store.write(uri, a_manifest(ready).model_dump_json().encode())
            with self.desk.writing() as session:
                session.add(
                    SeenSegmentRecord(
                        segment_id=ready.segment_id,
                        previous_segment_id=ready.previous_segment_id,
                        camera_id="gate",
                        started_at=ready.started_at,
                        manifest_uri=uri,
                        entered_at=self.clock(),
                    )
                )

    def raise_in(self, segment: SegmentReady, name: str = "a1", **more: float) -> None:
        raise_alert(self.desk, name, segment=segment, crop_uri=CROP_URI, raised_at=self.clock(), **more)  # type: ignore[arg-type]

    def kinds(self, name: str = "a1") -> set[str]:
        return {row.kind for row in self.table.listing(name)}

    def picture(self, name: str) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.store.read(f"media:///evidence/a1/{name}"))))

    def clip(self, name: str = "a1") -> list[int]:
        path = self.folder / "clip.mp4"
        path.write_bytes(self.store.read(f"media:///evidence/{name}/clip.mp4"))
        return numbers_in(path)


def numbered(path: Path, *, start: int) -> Path:
    """Ten seconds of frames that carry numbers from `start` on."""
    whole = path.with_suffix(".whole.mp4")
    make_video(whole, frame_count=start + 100, fps=FPS)
    cut_clip([Piece(whole, NOON)], NOON + timedelta(seconds=start / FPS), NOON + timedelta(days=1), path)
    return path


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    made = Yard(tmp_path, str(tmp_path / "media"))
    yield made
    made.desk.close()


def test_an_alert_of_an_alerter_whose_clock_was_an_hour_ahead_is_copied_now(yard: Yard) -> None:
    yard.arrive(1)
    raised_at = yard.clock() + timedelta(hours=1)
    raise_alert(
        yard.desk,
        "a1",
        segment=yard.segments[1],
        crop_uri=CROP_URI,
        raised_at=raised_at,
        look_at_s=2.0,
        met_after_s=9.0,
    )
    assert yard.copier.step() == 1
    assert yard.kinds() == set(KINDS)


def test_an_alert_gets_its_crop_its_frame_with_and_without_the_box_and_its_clip(yard: Yard) -> None:
    yard.arrive(1, 2)
    yard.raise_in(yard.segments[1], look_at_s=2.0, met_after_s=5.0)
    assert yard.copier.step() == 1
    assert yard.kinds() == set(KINDS)
    assert yard.store.read("media:///evidence/a1/crop.jpg") == b"\xff\xd8 the crop"
    assert number_of(yard.picture("frame.jpg")) == 120, "two seconds into the second segment"
    plain, drawn = yard.picture("frame.jpg").astype(int), yard.picture("boxed-frame.jpg").astype(int)
    changed = np.argwhere(np.abs(plain - drawn).sum(axis=2) > 150)
    assert changed.min(axis=0) == pytest.approx([10, 20], abs=4)
    assert changed.max(axis=0) == pytest.approx([90, 60], abs=4)
    assert np.abs(drawn[50, 20] - BOX_COLOUR).max() < 120
    assert yard.clip() == list(range(100, 200))
    for row in yard.table.listing("a1"):
        proven(row, yard.store)
    alert = yard.desk.alert("a1")
    assert alert is not None
    assert alert.evidence_at == RAISED_AT
    assert yard.copier.step() == 0, "nothing is owed any more"


def test_a_clip_crosses_both_borders_of_its_segment(yard: Yard) -> None:
    yard.arrive(0, 1, 2)
    yard.raise_in(yard.segments[1], met_after_s=2.0)
    yard.copier.step()
    assert yard.clip() == list(range(70, 171))
    yard.raise_in(yard.segments[1], "a2", met_after_s=8.0)
    yard.copier.step()
    assert yard.clip("a2") == list(range(130, 231))


def test_a_clip_waits_for_the_segment_that_follows_and_not_for_ever(yard: Yard) -> None:
    yard.arrive(0, 1)
    yard.raise_in(yard.segments[1], met_after_s=8.0)
    assert yard.copier.step() == 0
    assert yard.kinds() == {CROP, FRAME, BOXED_FRAME}, "pictures wait for nothing"
    yard.arrive(2)
    assert yard.copier.step() == 1
    assert yard.clip() == list(range(130, 231))
    yard.raise_in(yard.segments[2], "last", met_after_s=8.0)
    assert yard.copier.step() == 0
    yard.clock.forward(31)
    assert yard.copier.step() == 1, "the footage ended there"
    assert yard.kinds("last") == set(KINDS)


def test_a_crash_between_copying_and_noting_repeats_and_changes_nothing(yard: Yard) -> None:
    yard.arrive(1, 2)
    yard.raise_in(yard.segments[1])

    class Dying(MediaStore):
        """Dies right after the clip has been written."""

        def write_once(self, uri: str, content: bytes) -> bool:
            written = super().write_once(uri, content)
            if uri.endswith(".mp4"):
                raise MediaStoreError(uri, "the lights went out")
            return written

    with pytest.raises(MediaStoreError, match="lights"):
        yard.new_copier(Dying(yard.store.url)).step()
    before = yard.store.read("media:///evidence/a1/clip.mp4")
    assert yard.kinds() == {CROP, FRAME, BOXED_FRAME}
    assert yard.copier.step() == 1
    assert yard.store.read("media:///evidence/a1/clip.mp4") == before
    assert len(yard.table.listing("a1")) == len(KINDS)
    for row in yard.table.listing("a1"):
        proven(row, yard.store)


def test_nothing_stays_of_a_copy_that_is_made_while_its_alert_is_erased(yard: Yard) -> None:
    yard.arrive(1, 2)
    for name in ("a1", "a2", "held"):
        yard.raise_in(yard.segments[1], name)
    yard.table.record("held", Copy(CROP, CROP_URI, "0" * 64, 1), copied_at=yard.clock(), keep_until=None)
    yard.table.hold("held", who="anna", at=yard.clock(), reason="the labour court")

    class Erasing(MediaStore):
        """As the first clip is written, another process erases everyone."""

        def write_once(self, uri: str, content: bytes) -> bool:
            if uri.endswith(".mp4"):
                erase_evidence_of_people(yard.desk, ["p1"], self.remove, at=yard.clock())
            return super().write_once(uri, content)

    yard.new_copier(Erasing(yard.store.url)).step()
    assert [(row.alert_id, row.kind) for row in yard.table.listing()] == [("held", CROP)]
    assert list((yard.folder / "media" / "evidence").rglob("*.*")) == []
    assert yard.copier.step() == 0


def test_footage_that_is_gone_or_broken_is_said_and_owed_no_longer(yard: Yard) -> None:
    yard.arrive(1, 2)
    yard.store.write(yard.segments[1].uri, b"no video at all")
    yard.store.remove(yard.segments[2].uri)
    yard.store.remove(CROP_URI)
    yard.raise_in(yard.segments[1])
    assert yard.copier.step() == 1
    assert yard.kinds() == set()
    (line,) = yard.desk.history("a1")
    assert line.action == INCOMPLETE
    assert all(kind in str(line.comment) for kind in (CROP, FRAME, CLIP))
    assert yard.copier.step() == 0


def test_copies_run_out_unless_somebody_holds_them(yard: Yard) -> None:
    yard.arrive(1, 2)
    for name in ("a1", "held"):
        yard.raise_in(yard.segments[1], name)
    yard.new_copier(keep=timedelta(days=30)).step()
    yard.table.hold("held", who="anna", at=yard.clock(), reason="the labour court")
    yard.clock.forward(29 * 86400)
    assert yard.copier.drop_expired() == 0
    yard.clock.forward(2 * 86400)
    assert yard.copier.drop_expired() == len(KINDS)
    assert not (yard.folder / "media" / "evidence" / "a1").exists()
    assert yard.kinds() == set()
    assert yard.kinds("held") == set(KINDS)
    yard.table.release("held", who="anna", at=yard.clock(), reason="settled")
    assert yard.copier.drop_expired() == len(KINDS)
    assert [(line.who, line.comment) for line in yard.desk.history("held")] == [
        ("anna", "the labour court"),
        ("anna", "settled"),
    ]


def test_what_is_copied_after_a_hold_is_held_too(yard: Yard) -> None:
    yard.arrive(0, 1)
    yard.raise_in(yard.segments[1], met_after_s=8.0)
    yard.copier.step()
    yard.table.hold("a1", who="anna", at=yard.clock(), reason="")
    yard.arrive(2)
    yard.copier.step()
    assert {row.kind: row.legal_hold for row in yard.table.listing("a1")} == dict.fromkeys(KINDS, True)


def test_a_copy_that_was_changed_or_is_gone_is_found_out(yard: Yard) -> None:
    yard.arrive(1, 2)
    yard.raise_in(yard.segments[1])
    yard.copier.step()
    rows = {row.kind: row for row in yard.table.listing("a1")}
    yard.store.write(rows[FRAME].uri, yard.store.read(rows[FRAME].uri) + b" ")
    yard.store.remove(rows[CLIP].uri)
    proven(rows[CROP], yard.store)
    with pytest.raises(EvidenceError, match="frame was changed"):
        proven(rows[FRAME], yard.store)
    with pytest.raises(EvidenceError, match="clip is gone"):
        proven(rows[CLIP], yard.store)


def test_a_store_that_is_no_local_folder_serves_as_well(tmp_path: Path) -> None:
    yard = Yard(tmp_path, "memory://crewsight-evidence")
    yard.arrive(1, 2)
    yard.raise_in(yard.segments[1])
    assert yard.copier.step() == 1
    assert yard.kinds() == set(KINDS)
    yard.desk.close()


def test_the_command_line_lists_holds_releases_and_verifies(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    from consumers.evidence.cli import app

    yard.arrive(1, 2)
    yard.raise_in(yard.segments[1])
    monkeypatch.setenv("CREWSIGHT_STATE__FOLDER", str(yard.folder))
    command = CliRunner()
    assert "No copies" in command.invoke(app, ["list"]).output
    yard.copier.step()
    assert command.invoke(app, ["hold", "a1", "--reason", "court"]).output == "4 copies are held.\n"
    assert command.invoke(app, ["list", "a1"]).output.count("held") == 4
    assert command.invoke(app, ["verify"]).output == "4 of 4 copies are as they were made.\n"
    yard.store.write("media:///evidence/a1/crop.jpg", b"another")
    broken = command.invoke(app, ["verify", "a1"])
    assert broken.exit_code == 1
    assert "crop was changed" in broken.output
    assert command.invoke(app, ["release", "a1"]).exit_code == 0
    unknown = command.invoke(app, ["hold", "nobody"])
    assert isinstance(unknown.exception, EvidenceError)
    for words in (["verify", "nobody"], ["list", "nobody"]):
        assert "no copy of it is kept" in str(command.invoke(app, words).exception)


def test_pieces_that_overlap_or_cannot_be_read_leave_a_clip_that_goes_forward(tmp_path: Path) -> None:
    first = numbered(tmp_path / "first.mp4", start=0)
    second = make_video(tmp_path / "second.mp4", frame_count=50, fps=FPS, size_wh=(384, 216))
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    pieces = [
        Piece(first, NOON),
        Piece(tmp_path / "broken.mp4", NOON + timedelta(seconds=5)),
        Piece(second, NOON + timedelta(seconds=9.65)),
    ]
    length = cut_clip(pieces, NOON + timedelta(seconds=8), NOON + timedelta(seconds=11), tmp_path / "clip.mp4")
    assert length.total_seconds() == pytest.approx(2.95, abs=0.06)
    assert numbers_in(tmp_path / "clip.mp4")[:20] == list(range(80, 100))


def test_a_frame_and_a_clip_are_taken_out_of_a_picture_too(tmp_path: Path) -> None:
    half_red((640, 480)).save(tmp_path / "a.jpg", quality=95)
    frame = frame_at(tmp_path / "a.jpg", 0.0)
    assert frame.shape == (480, 640, 3)
    np.testing.assert_allclose(frame[240, 100], (200, 20, 20), atol=6)
    clip = tmp_path / "clip.mp4"
    cut_clip([Piece(tmp_path / "a.jpg", NOON)], NOON - timedelta(seconds=5), NOON + timedelta(seconds=5), clip)
    np.testing.assert_allclose(frame_at(clip, 0.0)[240, 100], (200, 20, 20), atol=12)
