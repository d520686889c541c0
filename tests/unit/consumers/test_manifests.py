"""The analyzer's stage in the media store: written once, repeated word for word."""

import base64
import json
from pathlib import Path

import pytest

from consumers.analyzer.eyes import Eyes
from consumers.analyzer.manifests import SegmentAnalysis
from streamer.bus.client import Received
from streamer.bus.errors import MediaStoreError
from streamer.bus.media import MediaStore, manifest_uri
from streamer.bus.messages import Message, Rejected, SegmentAnalyzed, SegmentReady
from streamer.bus.topics import DEAD_LETTERS, PEOPLE
from tests.builders_consumers import a_segment, people_video
from tests.builders_model import tiny_humanvlm


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Eyes:
    folder = tmp_path_factory.mktemp("models")
    return Eyes.open(cache_dir=folder / "cache", vlm=str(tiny_humanvlm(folder / "vlm")))


class Analysis:
    """A media store with segments in it, and the stage over it."""

    def __init__(self, eyes: Eyes, url: str, store: MediaStore | None = None) -> None:
        self.eyes, self.store = eyes, store or MediaStore(url)
        self.stage = SegmentAnalysis(eyes, self.store)

    def put(self, ready: SegmentReady, content: bytes) -> SegmentReady:
        self.store.write(ready.uri, content)
        return ready

    def of(self, *batch: SegmentReady, offset: int = 0) -> list[Message]:
        received = [
            Received("segments", 1, offset + n, "i1", ready, ready.model_dump_json().encode())
            for n, ready in enumerate(batch)
        ]
        publications = self.stage.work(received, lambda: False)
        assert all(len(each) == 1 for each in publications)
        for (publication,) in publications:
            kind = SegmentAnalyzed if publication.topic is PEOPLE else Rejected
            assert publication.topic in (PEOPLE, DEAD_LETTERS)
            assert isinstance(publication.message, kind)
        return [publication.message for (publication,) in publications]

    def manifest_path(self, ready: SegmentReady) -> Path:
        uri = manifest_uri(ready.camera_id, ready.segment_id, self.eyes.analysis_revision)
        return self.store.local_path(uri) or Path()


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return people_video(tmp_path_factory.mktemp("footage") / "v.mp4").read_bytes()


@pytest.fixture
def analysis(eyes: Eyes, tmp_path: Path) -> Analysis:
    return Analysis(eyes, str(tmp_path / "media"))


def test_a_result_is_on_the_disk_before_it_is_announced(analysis: Analysis, footage: bytes) -> None:
    ready = analysis.put(a_segment("s1"), footage)
    (analyzed,) = analysis.of(ready)
    assert isinstance(analyzed, SegmentAnalyzed)
    manifest = json.loads(analysis.store.read(analyzed.manifest_uri))
    assert len(manifest["people"]) == analyzed.person_count > 0
    for person in manifest["people"]:
        for look in person["looks"]:
            assert analysis.store.read(look["crop_uri"]).startswith(b"\xff\xd8"), "a JPEG"


def test_a_segment_that_comes_again_is_announced_again_and_not_analysed_again(
    analysis: Analysis, footage: bytes
) -> None:
    ready = analysis.put(a_segment("s1"), footage)
    first = analysis.of(ready)
    written = analysis.manifest_path(ready).stat().st_mtime_ns
    analysis.store.write(ready.uri, b"no video any more: looking again would fail")
    assert analysis.of(ready, ready, offset=9) == [*first, *first]
    assert analysis.manifest_path(ready).stat().st_mtime_ns == written


def test_the_loser_of_a_race_announces_the_winners_result(analysis: Analysis, footage: bytes) -> None:
    ready = analysis.put(a_segment("s1"), footage)
    (first,) = analysis.of(ready)
    assert isinstance(first, SegmentAnalyzed)
    path = analysis.manifest_path(ready)
    winner = {**json.loads(path.read_text()), "people": []}
    path.unlink()
    slow = analysis.eyes

    class Racing(MediaStore):
        def write_once(self, uri: str, content: bytes) -> bool:
            super().write_once(uri, json.dumps(winner).encode())  # the other one was a moment faster
            return super().write_once(uri, content)

    stage = SegmentAnalysis(slow, Racing(analysis.store.url))
    ((publication,),) = stage.work([Received("segments", 0, 0, "i1", ready, b"")], lambda: False)
    assert isinstance(publication.message, SegmentAnalyzed)
    assert publication.message.person_count == 0


def test_an_unreadable_segment_is_refused_with_its_place_and_bytes_and_again_word_for_word(analysis: Analysis) -> None:
    ready = analysis.put(a_segment("s1"), b"hello, this is no video")
    (refused,) = analysis.of(ready, offset=4)
    assert isinstance(refused, Rejected)
    assert (refused.source_topic, refused.partition, refused.offset, refused.incarnation) == ("segments", 1, 4, "i1")
    assert SegmentReady.model_validate_json(base64.b64decode(refused.original_base64)) == ready
    assert analysis.of(ready, offset=8) == [refused]


def test_a_missing_video_is_refused_and_analysed_once_it_is_there(analysis: Analysis, footage: bytes) -> None:
    ready = a_segment("s1")
    (refused,) = analysis.of(ready)
    assert isinstance(refused, Rejected)
    assert "not in the media store" in refused.reason
    analysis.put(ready, footage)
    (analyzed,) = analysis.of(ready)
    assert isinstance(analyzed, SegmentAnalyzed)


def test_the_refusal_of_a_large_message_is_itself_no_larger_than_a_message_may_be(analysis: Analysis) -> None:
    ready = a_segment("s1").model_copy(update={"gap_before_s": 1.0, "gap_reason": "x" * 900_000})
    (refused,) = analysis.of(ready)
    assert isinstance(refused, Rejected)
    assert len(DEAD_LETTERS.encode(refused)) < 2**20, "Kafka's own limit"


def test_a_store_that_is_no_local_folder_is_read_into_a_temporary_file(eyes: Eyes, footage: bytes) -> None:
    remote = Analysis(eyes, "memory://crewsight-test")
    ready = remote.put(a_segment("s1"), footage)
    (analyzed,) = remote.of(ready)
    assert isinstance(analyzed, SegmentAnalyzed)
    assert analyzed.person_count > 0


def test_a_store_that_cannot_be_written_breaks_the_world(analysis: Analysis, footage: bytes) -> None:
    ready = analysis.put(a_segment("s1"), footage)
    root = analysis.store.local_path("media:///results") or Path()
    root.write_text("a file where the folder should be")
    with pytest.raises(MediaStoreError, match="results"):
        analysis.of(ready)
