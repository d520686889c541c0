"""Crewsight under faults, in a short form of `make chaos`; and the proof that its checker can fail."""

import sys
from pathlib import Path

import pytest

from tests.chaos.checker import wrongs
from tests.chaos.expectations import Expectations
from tests.chaos.found import Outlook
from tests.chaos.hasty import WORDS
from tests.chaos.run import run
from tests.chaos.world import CAMERAS, running_world
from tests.installation import until

FAULTS, SEED = 10, 6
PATIENCE_S = 300


@pytest.mark.timeout(1500)
def test_ten_faults_lose_nothing_and_double_nothing() -> None:
    said: list[str] = []
    outcome = run(seed=SEED, faults=FAULTS, is_short=True, on_s3=True, say=said.append)
    assert outcome.wrongs == [], said
    assert outcome.never_recovered == [], said
    assert outcome.notes == [], said
    assert len(outcome.rounds) == FAULTS
    assert len({each.fault.kind for each in outcome.rounds}) >= FAULTS - len(outcome.left_out)


def test_an_analyzer_that_commits_before_it_writes_is_found_out_by_its_loss(tmp_path: Path) -> None:
    names = ("broker", "streamer", "indexer", "alerter", "notifier")
    with running_world(tmp_path, names=names, plain=True) as world:
        expected, outlook, log = Expectations(), Outlook(world), tmp_path / "logs" / "analyzer.log"
        expected.dropped.append(world.footage.drop(CAMERAS[0], 0))
        world.keep("analyzer", [sys.executable, "-m", "tests.chaos.hasty", "--config", str(world.config)])
        until(lambda: log.exists() and WORDS in log.read_text(), PATIENCE_S, "the hasty analyzer has committed")
        world.keeper.process("analyzer").kill()
        world.keeper.drop("analyzer")
        world.keep("analyzer")  # the real one, which finds nothing left to do
        expected.dropped.append(world.footage.drop(CAMERAS[0], 0))
        later = set(expected.dropped[1].segments)

        def is_later_through() -> bool:
            settled = outlook.settled()
            return settled is not None and later <= settled[0]

        until(is_later_through, PATIENCE_S, "what came afterwards is through")
        found = outlook.found()
        expected.learn(found)
        outlook.close()
    said = wrongs(expected, found)
    (lost,) = expected.dropped[0].segments
    assert f"1 segments neither analysed nor dead-lettered: {lost}" in said
    assert f"1 good segments lost: {lost}" in said
    assert any("people lost" in line for line in said)
