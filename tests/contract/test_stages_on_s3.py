"""Streamer and analyzer over a real S3 server that answers 503 for a while: nothing lost, doubled or given up."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumers.analyzer.eyes import Eyes
from streamer.bus.broker import EmbeddedBroker
from streamer.bus.messages import SegmentAnalyzed
from streamer.sources.file import FileSource
from streamer.streaming import Feed
from tests.builders_bus import wait_until
from tests.builders_consumers import a_segment, people_video
from tests.builders_model import tiny_humanvlm
from tests.builders_s3 import S3Server
from tests.builders_video import make_video
from tests.contract.test_streamer import Household
from tests.unit.consumers.test_manifests import Analysis

WITHIN_S = 120


@pytest.fixture
def server() -> Iterator[S3Server]:
    with S3Server().running() as running:
        yield running


def through_an_outage(server: S3Server, act: Callable[[], object]) -> None:
    """Begin `act` against a server that refuses everything, let it be refused twice, and see it through."""
    server.is_away, server.refused = True, 0
    acting = threading.Thread(target=act, daemon=True)
    acting.start()
    wait_until(lambda: server.refused >= 2, within_s=WITHIN_S)
    assert acting.is_alive()
    server.is_away = False
    acting.join(WITHIN_S)
    assert not acting.is_alive()


def test_footage_that_is_cut_while_the_store_is_away_is_published_once_it_is_back(
    server: S3Server, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    household = Household(tmp_path / "state", broker.address)
    household.media = server.store(patience_s=WITHIN_S)
    source = make_video(tmp_path / "a.mp4", frame_count=320)
    through_an_outage(server, lambda: household.run(Feed("gate", FileSource(source))))
    segments, _ = household.published(segments=3, rejects=0)
    assert len(server.listing()) == len({segment.uri for segment in segments}) == 3


def test_a_segment_that_is_analysed_while_the_store_is_away_has_one_result_and_no_dead_letter(
    server: S3Server, tmp_path: Path
) -> None:
    eyes = Eyes.open(cache_dir=tmp_path / "cache", vlm=str(tiny_humanvlm(tmp_path / "vlm")))
    analysis = Analysis(eyes, str(tmp_path / "unused"), store=server.store(patience_s=WITHIN_S))
    ready = analysis.put(a_segment("s1"), people_video(tmp_path / "v.mp4").read_bytes())
    announced: list[object] = []
    through_an_outage(server, lambda: announced.extend(analysis.of(ready)))
    (first,) = announced
    assert isinstance(first, SegmentAnalyzed)
    assert analysis.of(ready, offset=1) == [first]
    results = [key for key in server.listing() if key.startswith("results/")]
    assert results == [first.manifest_uri.removeprefix("media:///")]
