"""One undisturbed run over all footage, which most system tests look at."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.builders_video import make_frameless_video
from tests.conftest import real_data
from tests.installation import Installation

CLIPS = {
    "corridor": "one-by-one.mp4",
    "zone": "worker-zone.mp4",
    "aisle": "store-aisle.mp4",
    "class": "classroom.mp4",
    "site": "installer.mp4",
    "cut": "installer-truncated.mp4",
}


RULES = """\
rules:
  - id: vest
    title: Nobody without a safety vest
    question: {text: "Is this person wearing a safety vest?", complying: [yes]}
    persistence: {share: 0.7, seconds: 2}
    status: in force
"""


@dataclass(frozen=True)
class Finished:
    """An installation whose footage is through, and what `up --once` said."""

    installation: Installation
    output: str
    manifests: Mapping[str, Any]

    def of(self, camera: str) -> list[Any]:
        """The manifests of one camera in order of time."""
        chosen = [manifest for manifest in self.manifests.values() if manifest["camera_id"] == camera]
        return sorted(chosen, key=lambda manifest: manifest["started_at"])

    def people(self, camera: str) -> list[Any]:
        """Everyone one camera saw."""
        return [person for manifest in self.of(camera) for person in manifest["people"]]

    def answer(self, person: Mapping[str, Any], label: str) -> str:
        """What was answered to the question that is about `label`."""
        (asked,) = {
            question["question_id"]
            for manifest in self.manifests.values()
            for question in manifest["questions"]
            if label in question["text"] and question["kind"] == "predicate"
        }
        probabilities: dict[str, float] = person["answers"][asked]
        return max(probabilities, key=lambda answer: probabilities[answer])


def finished(installation: Installation, *flags: str) -> Finished:
    """Run `up --once` to its end."""
    run = installation.run("up", "--once", "--config", str(installation.config), *flags, timeout_s=600)
    logs = "\n".join(path.read_text()[-2000:] for path in sorted(installation.state.glob("logs/*.log")))
    assert run.returncode == 0, f"{run.stdout[-2000:]}\n{run.stderr[-2000:]}\n{logs}"
    return Finished(installation, run.stdout, installation.manifests())


def rubbish(folder: Path, good: Path) -> Path:
    """A folder with an empty file, a text, a video without frames, and behind them a good clip."""
    folder.mkdir()
    (folder / "a-empty.mp4").touch()
    (folder / "b-text.mp4").write_text("minutes of the safety meeting\n" * 50)
    make_frameless_video(folder / "c-frameless.mp4")
    shutil.copy(good, folder / "d-good.mp4")
    return folder


def ruled(folder: Path) -> dict[str, dict[str, str]]:
    """Settings that name a rules file, which is written into `folder`."""
    rules = folder / "rules.yaml"
    rules.write_text(RULES)
    return {"alerts": {"rules": str(rules)}}


@pytest.fixture(scope="session")
def all_clips(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Every real clip, and a folder of rubbish, through all processes once."""
    folder = tmp_path_factory.mktemp("all-clips")
    sources = [{"camera": camera, "file": str(real_data(f"videos/{name}"))} for camera, name in CLIPS.items()]
    inbox = rubbish(folder / "inbox", real_data("videos/worker-zone.mp4"))
    return finished(Installation(folder, [*sources, {"camera": "inbox", "folder": str(inbox)}], ruled(folder)))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, demo_clip: Path) -> Finished:
    """The footage made from packaged pictures, and a folder of rubbish, through all processes once."""
    folder = tmp_path_factory.mktemp("demo-run")
    inbox = rubbish(folder / "inbox", demo_clip)
    sources = [{"camera": "demo", "file": str(demo_clip)}, {"camera": "inbox", "folder": str(inbox)}]
    return finished(Installation(folder, sources))


@pytest.fixture
def installed(tmp_path: Path) -> Any:
    """A function that makes an installation with the given sources and settings."""
    return lambda sources=(), **more: Installation(tmp_path / "installation", sources, more)
