"""One line an event, for people or for machines, with what it is about, and without anybody's password."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import StringIO

import pytest

from operations.logs import FactsFormatter, MachineFormatter, about

logger = logging.getLogger("tests.logs")


@pytest.fixture(params=["console", "json"])
def written(request: pytest.FixtureRequest) -> Iterator[StringIO]:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(FactsFormatter() if request.param == "console" else MachineFormatter("analyzer"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    logger.removeHandler(handler)


class Kept(logging.Handler):
    """Keeps what a machine would read of each event."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(MachineFormatter("analyzer"))
        self.lines: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    handler = Kept()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.removeHandler(handler)


def test_a_machine_reads_time_level_process_words_and_facts(lines: list[dict[str, object]]) -> None:
    with about(camera_id="gate", segment_id="s1"), about(person_id="p1"):
        logger.warning("a segment cannot be read", extra={"offset": 7, "segment_id": "s2"})
    logger.info("later")
    first, second = lines
    assert str(first.pop("time")).endswith("+00:00")
    assert first == {
        "level": "WARNING",
        "logger": "tests.logs",
        "process": "analyzer",
        "message": "a segment cannot be read",
        "camera_id": "gate",
        "segment_id": "s2",  # what the call says wins
        "person_id": "p1",
        "offset": 7,
    }
    assert "camera_id" not in second


def test_threads_do_not_take_each_others_facts(lines: list[dict[str, object]]) -> None:
    with about(camera_id="gate"):
        thread = threading.Thread(target=lambda: logger.info("elsewhere"))
        thread.start()
        thread.join()
    assert "camera_id" not in lines[0]


@pytest.mark.parametrize(
    "secret",
    [
        "rtsp://admin:hunter2@10.0.0.7:554/h264",
        "rtsp://admin:hun@ter2@10.0.0.7/h264",
        "https://host/hook?token=hunter2&x=1",
        "Authorization: Bearer hunter2",
    ],
)
def test_no_line_holds_a_password_wherever_it_stood(written: StringIO, secret: str) -> None:
    try:
        raise ConnectionError(f"cannot reach {secret}")
    except ConnectionError:
        logger.exception("lost %s", secret, extra={"url": secret})
    said = written.getvalue()
    assert "ConnectionError" in said
    for part in ("hunter2", "ter2", "admin"):
        assert part not in said
    assert "***" in said


def test_a_line_for_people_is_as_it_was(written: StringIO) -> None:
    with about(camera_id="gate"):
        logger.info("camera is live", extra={"fps": 25})
    line = written.getvalue()
    if not line.startswith("{"):
        assert line.endswith("INFO tests.logs: camera is live camera_id=gate fps=25\n")


@pytest.mark.parametrize(("form", "is_json"), [("auto", True), ("json", True), ("console", False)])
def test_the_setting_chooses_and_what_is_no_terminal_gets_json(form: str, is_json: bool) -> None:
    script = (
        "import logging\nfrom operations.logs import configure_logging\n"
        f"configure_logging(form={form!r}, process='x')\nlogging.getLogger('a').info('hello')"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stderr.startswith("{") == is_json
