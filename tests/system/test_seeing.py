"""Seeing inside the processes of `crewsight up`: each serves its metrics, every leg of a segment is counted."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.installation import Installation, until

RULES = """\
rules:
  - id: vest
    title: Nobody without a safety vest
    question: {text: "Is this person wearing a safety vest?", complying: [yes]}
    persistence: {share: 0.1, seconds: 1}
    status: in force
"""
WITHIN_S = 400  # models are converted at the first start, beside whatever else the machine does
JOBS = {"broker", "streamer", "analyzer", "indexer", "alerter", "notifier", "page"}
LEGS = {
    "capture_to_publish", "analyze_wait", "decode", "detect", "track", "crop", "vlm", "analyze", "analyze_publish",
    "index_wait", "index", "alert_wait", "alert",
}  # fmt: skip


class Watched:
    """An installation whose processes are asked what they count."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def targets(self) -> dict[str, str]:
        """Where each process is read."""
        notes = [json.loads(path.read_text())[0] for path in (self.installation.state / "metrics").glob("*.json")]
        return {note["labels"]["job"]: note["targets"][0] for note in notes}

    def status(self, job: str, path: str) -> int:
        try:
            return httpx.get(f"http://{self.targets()[job]}{path}", timeout=20).status_code
        except (httpx.TransportError, KeyError):
            return 0

    def families(self, job: str) -> dict[str, list[tuple[dict[str, str], str, float]]]:
        """Every metric that a process exports, with its samples."""
        text = httpx.get(f"http://{self.targets()[job]}/metrics", timeout=20).text
        return {
            family.name: [(sample.labels, sample.name, sample.value) for sample in family.samples]
            for family in text_string_to_metric_families(text)
        }

    def counted_legs(self) -> set[str]:
        """The legs that some process has counted of the camera *gate*."""
        return {
            labels["leg"]
            for job in ("streamer", "analyzer", "indexer", "alerter")
            for labels, name, value in self.families(job)["crewsight_leg_seconds"]
            if name.endswith("_count") and value and labels["camera"] == "gate"
        }


@contextmanager
def watched(folder: Path, clip: Path) -> Iterator[Watched]:
    """Everything running over one clip, played as if live."""
    folder.mkdir()
    (folder / "footage").mkdir()
    shutil.copy(clip, folder / "footage")
    (folder / "rules.yaml").write_text(RULES)
    source = {"camera": "gate", "folder": str(folder / "footage"), "pace": "live"}
    more = {"alerts": {"rules": str(folder / "rules.yaml")}, "folders": {"rest_s": 0}}
    installation = Installation(folder / "installation", [source], more)
    with installation.running("up", "--config", str(installation.config)):
        yield Watched(installation)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, demo_clip: Path) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("seeing") / "home", demo_clip) as running:
        yield running


def test_every_process_becomes_ready_and_is_live(seen: Watched) -> None:
    until(lambda: set(seen.targets()) == JOBS, WITHIN_S, "every process noted")
    until(lambda: {seen.status(job, "/ready") for job in JOBS} == {200}, WITHIN_S, "every process ready")
    assert {seen.status(job, "/live") for job in JOBS} == {200}


def test_every_leg_from_capture_to_alert_is_counted(seen: Watched) -> None:
    until(lambda: set(seen.targets()) == JOBS and seen.status("analyzer", "/ready") == 200, WITHIN_S, "processes ready")
    until(lambda: seen.counted_legs() >= LEGS, WITHIN_S, f"all of {sorted(LEGS)}")

    def end_to_end() -> bool:
        samples = seen.families("alerter")["crewsight_end_to_end_seconds"]
        return any(name.endswith("_count") and value for _, name, value in samples)

    until(end_to_end, WITHIN_S, "a segment at the desk")
    assert any(value for _, name, value in seen.families("analyzer")["crewsight_people"] if name.endswith("_total"))
    assert any(value for _, _, value in seen.families("indexer")["crewsight_index_vectors"])
