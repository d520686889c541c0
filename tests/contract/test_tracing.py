"""One trace from capture to whoever is told: over a real broker and desk, to a collector on the loopback."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from consumers.notifying.channels import Channel
from consumers.notifying.notice import notice_of
from consumers.notifying.notifier import Notifier
from consumers.notifying.outbox import Outbox
from consumers.notifying.senders import senders_of
from consumers.runner import IsStopping, Publication, Runner
from operations.seeing import tracing
from streamer.bus.broker import EmbeddedBroker
from streamer.bus.client import Bus, Received
from streamer.bus.messages import SegmentAnalyzed, SegmentReady
from streamer.bus.settings import Traces
from streamer.bus.topics import PEOPLE, SEGMENTS
from streamer.measuring import captured
from tests.builders_alerter import AlerterDesk
from tests.builders_bus import drain, wait_until
from tests.builders_consumers import RecordingStage, a_segment, running
from tests.builders_notifying import HttpReceiver, outbox
from tests.builders_rules import FixedRules, a_rule

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

WITHIN_S = 90


class Collector:
    """Takes OTLP over HTTP; `spans` by name."""

    def __init__(self) -> None:
        self.spans: dict[str, Any] = {}
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
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"
