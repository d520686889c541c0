"""kill -9 of every process while footage runs: the same people as an undisturbed run, none lost, none twice."""

import itertools
import json
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from consumers.indexer.people import PeopleReader
from consumers.linking import link
from streamer.bus.manifest import Manifest
from streamer.ledger import Ledger
from tests.conftest import real_data
from tests.installation import Installation, until
from tests.system.conftest import Finished

Kill = tuple[str, Callable[[Installation], bool]]

THROUGH_WITHIN_S = 240


def crossings(manifests: Sequence[Any]) -> list[str]:
    """The segments at whose end somebody is on the way into the next one."""
    read = [Manifest.model_validate(manifest) for manifest in manifests]
    return [before.segment_id for before, after in itertools.pairwise(read) if link(before, after)]


def has_manifest(segment_id: str) -> Callable[[Installation], bool]:
    """Whether that segment is analysed: the next one is then in work."""
    return lambda installation: segment_id in installation.manifests()


def has_ledger_entry(installation: Installation) -> bool:
    """Whether the streamer has cut anything."""
    if not (installation.state / "ledger.sqlite3").exists():
        return False
    with closing(Ledger.open(installation.state)) as ledger:
        return ledger.counts()[0] > 0


def plan(undisturbed: Finished, camera: str) -> list[Kill]:
    """Six moments: when cutting begins, then one after another behind segments, those crossed by a person first."""
    manifests = undisturbed.of(camera)
    crossed = crossings(manifests)
    assert len(crossed) >= 3, "the footage has people on the way from one segment into the next"
    order = {manifest["segment_id"]: position for position, manifest in enumerate(manifests)}
    others = [name for name in order if name not in crossed]
    moments = sorted((crossed + others)[:5], key=order.__getitem__)
    victims = ["analyzer", "tansu", "indexer", "analyzer", "broker"]
    behind = moments + [moments[-1]] * (len(victims) - len(moments))  # short footage: several at its last border
    return [("streamer", has_ledger_entry), *zip(victims, map(has_manifest, behind), strict=True)]


@pytest.fixture(params=["corridor", "demo"])
def footage(request: pytest.FixtureRequest) -> Iterator[tuple[Finished, str, Path]]:
    """An undisturbed run, the camera to repeat under kills, and its clip."""
    if request.param == "corridor":
        yield request.getfixturevalue("all_clips"), "corridor", real_data("videos/one-by-one.mp4")
    else:
        yield request.getfixturevalue("demo"), "demo", request.getfixturevalue("demo_clip")


def test_whoever_is_killed_the_same_people_are_found_and_nobody_twice(
    footage: tuple[Finished, str, Path], installed: Callable[..., Installation]
) -> None:
    undisturbed, camera, clip = footage
    expected = {manifest["segment_id"]: manifest for manifest in undisturbed.of(camera)}
    everyone = sorted(person["person_id"] for manifest in expected.values() for person in manifest["people"])
    installation = installed([{"camera": camera, "file": str(clip)}], analyzer={"batch_segments": 1})
    with installation.running("up", "--config", str(installation.config)) as process:
        for victim, moment in plan(undisturbed, camera):
            until(partial(moment, installation), THROUGH_WITHIN_S, f"the moment to kill the {victim}")
            installation.kill(victim)
            assert process.poll() is None, installation.output()
        until(lambda: set(installation.manifests()) == set(expected), THROUGH_WITHIN_S, "all segments are analysed")
        until(lambda: indexed(installation) == everyone, THROUGH_WITHIN_S, "all people are indexed, each once")
        until(lambda: vectors(installation) == len(everyone), THROUGH_WITHIN_S, "all people are searchable, each once")
    assert installation.identities() == sorted(
        (person["person_id"], person["track_id"], tuple(look["crop_uri"] for look in person["looks"]))
        for manifest in expected.values()
        for person in manifest["people"]
    )
    assert crops_on_disk(installation) == sorted(
        look["crop_uri"].removeprefix("media:///")
        for manifest in expected.values()
        for person in manifest["people"]
        for look in person["looks"]
    )


def indexed(installation: Installation) -> list[str]:
    """The ids of everyone in the person table."""
    reader = PeopleReader(f"sqlite:///{installation.state / 'people.sqlite3'}")
    try:
        return sorted(person.person_id for person in reader.newest(100_000))
    finally:
        reader.close()


def vectors(installation: Installation) -> int | None:
    """How many vectors the indexer holds; None while it does not answer."""
    try:
        with urllib.request.urlopen(f"{installation.search_url}/status", timeout=2) as answer:
            return int(json.load(answer)["keys"])
    except OSError:
        return None


def crops_on_disk(installation: Installation) -> list[str]:
    media = installation.state / "media"
    return sorted(str(path.relative_to(media)) for path in media.glob("crops/**/*.jpg"))


def test_a_request_to_stop_is_obeyed_within_ten_seconds_and_leaves_no_process(
    demo_clip: Path, installed: Callable[..., Installation]
) -> None:
    installation = installed([{"camera": "gate", "file": str(demo_clip), "pace": "live"}])
    with installation.running("up", "--config", str(installation.config)) as process:
        until(lambda: installation.process("analyzer"), 30, "an analyzer")
        until(installation.manifests, 90, "a first result")
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 5
        process.terminate()
        assert process.wait(10) == 0
        assert not [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert "Traceback" not in installation.output()
