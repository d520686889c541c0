"""Traces, where somebody collects them: one for each segment, from its capture to its alert and whoever is told of it.

What continues a trace travels as W3C trace context: in the headers of Kafka's messages, and with a notification that is
owed. While it is off, nothing of OpenTelemetry is imported and nothing is carried.
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operations.errors import TracingError
from streamer.bus.settings import Traces

Headers = Sequence[tuple[str, bytes]]  # of a Kafka message
TRACEPARENT = "traceparent"
CONTEXT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # of W3C's recommendation, version 00

PARTS_AT_MOST = 1000  # segments whose parts are kept: of what is begun and never finished, nobody asks for them

_tracer: Any = None  # set once, as the process starts
_provider: Any = None
_parts: "dict[str, list[Part]]" = {}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a step: when it began and ended, in seconds since 1970, and what it was about."""

    name: str
    began_s: float
    ended_s: float
    facts: Mapping[str, Any]


def start(process: str, settings: Traces, *, exporter: Any = None) -> None:
    """Begin to trace, if the settings name a collector; `exporter` takes its place in tests.

    Raises:
        TracingError: OpenTelemetry is not installed.
    """
    global _tracer, _provider
    if not settings.otlp_url and exporter is None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        raise TracingError(settings.otlp_url) from error
    resource = Resource.create({"service.name": f"crewsight-{process}", "service.namespace": "crewsight"})
    _provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(settings.share)))
    chosen = exporter or OTLPSpanExporter(endpoint=f"{settings.otlp_url.rstrip('/')}/v1/traces")
    _provider.add_span_processor(BatchSpanProcessor(chosen, schedule_delay_millis=1000))
    _tracer = _provider.get_tracer("crewsight")


def stop() -> None:
    """Send what is left, and trace no more."""
    global _tracer, _provider
    if _provider is not None:
        _provider.shutdown()
    _tracer = _provider = None
    _parts.clear()


def begin_parts(key: str) -> None:
    """Forget what was noted of `key`: it is worked on from the beginning."""
    if _tracer is None:
        return
    _parts[key] = []
    while len(_parts) > PARTS_AT_MOST:
        _parts.pop(next(iter(_parts)), None)


def note_part(key: str, name: str, elapsed_s: float, **facts: str | float) -> None:
    """Keep that a part of the work on `key` ended now and how long it took, until its step is noted.

    Where nobody traces, nothing is kept.
    """
    if _tracer is None or (parts := _parts.get(key)) is None:
        return
    ended_s = time.time()
    parts.append(Part(name, ended_s - elapsed_s, ended_s, facts))


def parts_of(key: str | None) -> Sequence[Part]:
    """What was noted of `key`, once."""
    return _parts.pop(key, ()) if key is not None else ()


def step(
    name: str,
    before: Headers | str | None,
    *,
    began_s: float,
    ended_s: float | None = None,
    facts: Mapping[str, Any] | None = None,
    parts: Sequence[Part] = (),
) -> Headers:
    """Note one step of a trace that has been taken; returns the headers of what follows from it.

    Args:
        name: What was done, such as `analyze`.
        before: The headers of the message that led here, or the trace context itself; without either a trace begins.
        began_s: When it began, in seconds since 1970.
        ended_s: When it ended; now by default.
        facts: What it was about, as texts and numbers; what is None is left out.
        parts: What it was made of, each a span below its own.
    """
    if _tracer is None:
        return ()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()
    known = before if isinstance(before, str) else traceparent(before or ())
    parent = propagator.extract({TRACEPARENT: known} if known else {})
    from opentelemetry.trace import set_span_in_context

    span = _span(name, parent, began_s, time.time() if ended_s is None else ended_s, facts or {})
    within = set_span_in_context(span)
    for part in parts:
        _span(part.name, within, part.began_s, part.ended_s, part.facts)
    carrier: dict[str, str] = {}
    propagator.inject(carrier, context=within)
    return [(key, value.encode("ascii")) for key, value in carrier.items()]


def _span(name: str, parent: Any, began_s: float, ended_s: float, facts: Mapping[str, Any]) -> Any:
    span = _tracer.start_span(name, context=parent, start_time=int(began_s * 1e9))
    for key, value in facts.items():
        if value is not None:
            span.set_attribute(key, value)
    span.end(int(ended_s * 1e9))
    return span


def traceparent(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    r"""The trace context in a message's headers; None without one, or where it is none: anybody may write a topic.

    >>> traceparent([("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")])[:6]
    '00-4bf'
    >>> traceparent([("traceparent", b"00-4bf\x00")]), traceparent([("traceparent", None)]), traceparent([])
    (None, None, None)
    """
    found = next((value for key, value in headers if key == TRACEPARENT), None)
    return found.decode("ascii") if found is not None and CONTEXT.fullmatch(found) else None
