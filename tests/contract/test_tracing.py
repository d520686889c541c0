"""One trace from capture to whoever is told: over a real broker and desk, to a collector on the loopback."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from consumers.analyzer.eyes import Eyes
from consumers.analyzer.manifests import SegmentAnalysis
from consumers.notifying.channels import Channel
from consumers.notifying.notice import notice_of
from consumers.notifying.notifier import Notifier
from consumers.notifying.outbox import Outbox
from consumers.notifying.senders import senders_of
from consumers.runner import IsStopping, Publication, Runner
from operations.seeing import tracing
from streamer.bus.broker import EmbeddedBroker
from streamer.bus.client import Bus, Received
from streamer.bus.media import MediaStore
from streamer.bus.messages import SegmentAnalyzed, SegmentReady
from streamer.bus.settings import Traces
from streamer.bus.topics import PEOPLE, SEGMENTS
from streamer.measuring import captured
from tests.builders_alerter import AlerterDesk
from tests.builders_bus import drain, wait_until
from tests.builders_consumers import RecordingStage, a_segment, people_video, running
from tests.builders_model import tiny_humanvlm
from tests.builders_notifying import HttpReceiver, outbox
from tests.builders_rules import FixedRules, a_rule

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

WITHIN_S = 90


class Collector:
    """Takes OTLP over HTTP; `spans` by name."""

    def __init__(self) -> None:
        self.spans: dict[str, Any] = {}
        self.all: list[Any] = []
        self.services: set[str] = set()
        taken = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                taken.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self, request: Any) -> None:
        for resource in request.resource_spans:
            self.services |= {a.value.string_value for a in resource.resource.attributes if a.key == "service.name"}
            for scope in resource.scope_spans:
                self.spans.update({span.name: span for span in scope.spans})
                self.all += scope.spans

    @contextmanager
    def running(self) -> Iterator["Collector"]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join(10)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector().running() as running_collector:
        tracing.start("test", Traces(otlp_url=running_collector.url))
        try:
            yield running_collector
        finally:
            tracing.stop()


class Answers(RecordingStage):
    """In the analyzer's place: every segment has its manifest in the store already."""

    def __init__(self, analysed: SegmentAnalyzed) -> None:
        super().__init__()
        self._analysed = analysed

    def work(self, batch: Sequence[Received[SegmentReady]], is_stopping: IsStopping) -> list[list[Publication]]:
        del is_stopping
        return [[Publication(PEOPLE, self._analysed)] for _ in batch]


def test_one_trace_leads_from_capture_to_whoever_is_told(
    tmp_path: Path, broker: EmbeddedBroker, collector: Collector
) -> None:
    installed = AlerterDesk(tmp_path)
    installed.rules = FixedRules(a_rule(channels=["hook"]))
    analysed = installed.messages(("BBBBBBBBBB",))[0].message
    bus = Bus(broker.address, partitions=2)
    bus.ensure_topics()
    publisher, ready = bus.publisher(), a_segment(analysed.segment_id, camera_id="gate")
    publisher.publish(SEGMENTS, ready, partition=1, headers=captured(ready))
    publisher.flush()
    publisher.close()
    analyzer = Runner(Bus(broker.address, partitions=2), [SEGMENTS], "analyzer", Answers(analysed), leg="analyze")
    alerter = Runner(Bus(broker.address, partitions=2), [PEOPLE], "alerter", installed.stage(), leg="alert")
    with running(analyzer), running(alerter):
        wait_until(lambda: bool(outbox(installed.desk)), within_s=WITHIN_S)
    with HttpReceiver().running() as receiver:
        channels = {"hook": Channel(url=receiver.url, secret="whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3")}
        notifier = Notifier(
            Outbox(installed.desk, channels),
            senders_of(channels),
            lambda owed: notice_of(owed.alert, owed.kind, site="x", public_url="http://x", zone=None, picture=None),
        )

        def told() -> bool:
            notifier.step()
            return all(owed.delivered_at is not None for owed in outbox(installed.desk))

        wait_until(told, within_s=WITHIN_S)
        notifier.close()
    tracing.stop()  # sends what is left
    spans = collector.spans
    assert set(spans) == {"capture", "analyze", "alert", "notify"}
    assert len({span.trace_id for span in spans.values()}) == 1
    parents = {name: span.parent_span_id for name, span in spans.items()}
    assert parents == {
        "capture": b"",
        "analyze": spans["capture"].span_id,
        "alert": spans["analyze"].span_id,
        "notify": spans["analyze"].span_id,
    }
    assert collector.services == {"crewsight-test"}
    facts = {each.key: each.value.string_value for each in spans["alert"].attributes}
    assert (facts["camera_id"], facts["segment_id"]) == ("gate", analysed.segment_id)


def test_what_an_analysis_is_made_of_has_spans_below_its_own_once(
    tmp_path: Path, broker: EmbeddedBroker, collector: Collector
) -> None:
    eyes = Eyes.open(cache_dir=tmp_path / "cache", vlm=str(tiny_humanvlm(tmp_path / "vlm")))
    media, ready = MediaStore(str(tmp_path / "media")), a_segment("s1")
    media.write(ready.uri, people_video(tmp_path / "v.mp4").read_bytes())
    bus = Bus(broker.address, partitions=1)
    bus.ensure_topics()
    publisher, consumer = bus.publisher(), bus.consumer([PEOPLE], "look")
    analyzer = Runner(
        Bus(broker.address, partitions=1), [SEGMENTS], "analyzer", SegmentAnalysis(eyes, media), leg="analyze"
    )
    with running(analyzer):
        for _ in range(2):  # the second time it is not computed, but published again
            publisher.publish(SEGMENTS, ready, partition=0, headers=captured(ready))
            publisher.flush()
            (arrived,) = drain(consumer, 1, within_s=WITHIN_S)
    assert isinstance(arrived, Received)
    timings_s = arrived.message.timings_s
    publisher.close()
    consumer.close()
    bus.close()
    tracing.stop()  # sends what is left
    steps = [span for span in collector.all if span.name == "analyze"]
    parts = [span for span in collector.all if span.name not in ("capture", "analyze")]
    assert [span.name for span in parts] == ["decode", "detect", "track", "crop", "vlm"]
    (step,) = [span for span in steps if {span.span_id} == {part.parent_span_id for part in parts}]
    assert {part.trace_id for part in parts} == {step.trace_id}
    assert len(steps) == 2
    leeway_ns = 5_000_000  # two clocks, one of which is only ever set right
    for part, after in pairwise(parts):
        assert part.end_time_unix_nano <= after.start_time_unix_nano + leeway_ns
    assert step.start_time_unix_nano - leeway_ns <= parts[0].start_time_unix_nano
    assert parts[-1].end_time_unix_nano <= step.end_time_unix_nano + leeway_ns
    for part in parts:
        elapsed_s = (part.end_time_unix_nano - part.start_time_unix_nano) / 1e9
        assert elapsed_s == pytest.approx(timings_s["humanvlm" if part.name == "vlm" else part.name], abs=2e-4)


def test_without_a_collector_nothing_is_carried_and_nothing_of_opentelemetry_is_loaded(
    broker: EmbeddedBroker,
) -> None:
    bus = Bus(broker.address, partitions=2)
    bus.ensure_topics()
    publisher = bus.publisher()
    publisher.publish(SEGMENTS, a_segment("s1"), partition=0, headers=captured(a_segment("s1")))
    publisher.flush()
    publisher.close()
    consumer = bus.consumer([SEGMENTS], "look")
    (arrived,) = drain(consumer, 1, within_s=WITHIN_S)
    consumer.close()
    bus.close()
    assert isinstance(arrived, Received)
    assert arrived.headers == ()
    script = (
        "import sys\nimport streamer.measuring, consumers.measuring, operations.seeing.serving\n"
        "from streamer.bus.settings import Traces\nfrom operations.seeing import tracing\n"
        "tracing.start('x', Traces())\n"
        "assert tracing.step('x', None, began_s=1.0) == ()\n"
        "tracing.begin_parts('s1'); tracing.note_part('s1', 'decode', 1.0)\n"
        "assert tracing.parts_of('s1') == ()\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"
