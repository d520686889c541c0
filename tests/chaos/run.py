"""One run: an undisturbed pass, then fault after fault while footage comes in, then the count."""

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.checker import wrongs
from tests.chaos.expectations import Expectations
from tests.chaos.faults import Chaos
from tests.chaos.found import Found, Outlook
from tests.chaos.processes import Usage
from tests.chaos.schedule import Fault, draw
from tests.chaos.world import CAMERAS, World, running_world

NAMES = ("broker", "streamer", "analyzer", "analyzer-2", "indexer", "alerter", "notifier", "page")
START_S = 900.0
RECOVERED_WITHIN_S = 30.0
GIVE_UP_S = 300.0  # after which a fault counts as never recovered from
LOOK_EVERY_S = 0.2
POISON_AGAIN_S = 3.0
SETTLE_S = 60.0
LOGS_KEPT = Path(".cache/chaos-logs")
PACE_S = 2.0  # between files while nothing is broken

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Round:
    """One fault, and how long after its end everything put in by then was through; None: never."""

    fault: Fault
    recovered_s: float | None
    load: float  # of the machine, a minute's average at the end


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run has shown."""

    seed: int
    rounds: list[Round]
    wrongs: list[str]
    expected: Expectations
    found: Found
    usage: list[Usage]
    notes: list[str]
    left_out: dict[str, str]
    repeated: int  # tellings beyond the first, under the same idempotency key
    lasted_s: float = 0.0
    undisturbed_s: float = 0.0

    @property
    def never_recovered(self) -> list[Round]:
        """The faults after which something never came through."""
        return [each for each in self.rounds if each.recovered_s is None]

    def slow(self, within_s: float = RECOVERED_WITHIN_S) -> list[Round]:
        """The faults that took longer than that to recover from."""
        return [each for each in self.rounds if each.recovered_s is not None and each.recovered_s > within_s]


@dataclass
class _Running:
    """What the steps of a run share."""

    world: World
    outlook: Outlook
    expected: Expectations
    chance: random.Random
    say: Say
    next_camera: int = 0
    rounds: list[Round] = field(default_factory=list)
    chaos: Chaos = field(init=False)

    def __post_init__(self) -> None:
        self.chaos = Chaos(self.world, self.expected, lambda: self.through_s(GIVE_UP_S))

    def drop(self, recipe: int | None = None) -> None:
        """One more clip, of each recipe and camera in turn or by chance."""
        chosen = self.chance.choice(self.world.footage.recipes) if recipe is None else recipe
        self.expected.dropped.append(self.world.footage.drop(CAMERAS[self.next_camera % len(CAMERAS)], chosen))
        self.next_camera += 1

    def through_s(self, within_s: float) -> float | None:
        """Seconds until everything that was put in is through; None when it is not in time."""
        wanted, poison = self.expected.segments(), set(self.expected.poison)
        began_s = sent_s = time.monotonic()
        while (now_s := time.monotonic()) - began_s < within_s:
            settled = self.outlook.settled()
            is_through = settled is not None and wanted <= settled[0] and poison <= settled[1]
            if is_through and self.outlook.answers():
                return time.monotonic() - began_s
            if now_s - sent_s > POISON_AGAIN_S:
                self.chaos.send_again(settled[1] if settled else set())
                sent_s = time.monotonic()
            time.sleep(LOOK_EVERY_S)
        return None

    def standing(self) -> str:
        """What is not through."""
        wanted, settled = self.expected.segments() | set(self.expected.poison), self.outlook.settled()
        if settled is None:
            return "a database does not answer, or a telling is owed"
        missing = wanted - settled[0] - settled[1]
        return f"{len(missing)} of {len(wanted)} missing; search and page answer: {self.outlook.answers()}"


def run(
    *,
    seed: int,
    faults: int,
    is_short: bool = False,
    on_s3: bool = False,
    kinds: Sequence[str] | None = None,
    say: Say = lambda _: None,
    until_s: float = float("inf"),
    left_alone_s: float = 0.0,
) -> Outcome:
    """Run `faults` faults drawn from `seed`; fewer when `until_s` (of the monotonic clock) comes first.

    Footage comes in for `left_alone_s` more with nothing broken: faults end lives before memory can be judged.

    Raises:
        AssertionError: The undisturbed pass did not come through, so nothing can be said.
    """
    began_s = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="crewsight-chaos-") as folder,
        running_world(Path(folder), names=NAMES, on_s3=on_s3) as world,
    ):
        running = _Running(world, Outlook(world), Expectations(), random.Random(seed), say)
        undisturbed_s = _undisturbed(running)
        undisturbed_at_s = time.monotonic()
        for fault in draw(seed, faults, kinds=kinds or world.kinds, is_short=is_short):
            if time.monotonic() > until_s:
                break
            _one(running, fault)
        _left_alone(running, left_alone_s)
        found = _settled(running)
        running.chaos.close()
        running.outlook.close()
        return Outcome(
            seed=seed,
            rounds=running.rounds,
            wrongs=wrongs(running.expected, found),
            expected=running.expected,
            found=found,
            usage=[each for each in world.keeper.usage if each.at_s > undisturbed_at_s],
            notes=running.chaos.notes,
            left_out=world.left_out,
            repeated=len(found.told) - len(set(found.told)),
            lasted_s=time.monotonic() - began_s,
            undisturbed_s=undisturbed_s,
        )


def _undisturbed(running: _Running) -> float:
    """One file of each clip, with nothing broken; what it leads to is what every later one must lead to."""
    for recipe in running.world.footage.recipes:
        running.drop(recipe)
    took_s = running.through_s(START_S)
    assert took_s is not None, f"not through after {START_S:g} s: {running.standing()}; {_last_words(running)}"
    found = _settled(running)
    running.expected.learn(found)
    assert found.people, "nobody is seen in the clips: nothing could be lost"
    assert found.alerts, "no alert comes of the clips: none could be lost"
    assert not wrongs(running.expected, found), wrongs(running.expected, found)
    running.say(f"undisturbed: {len(found.people)} people, {len(found.alerts)} alerts after {took_s:.1f} s")
    return took_s


def _one(running: _Running, fault: Fault) -> None:
    running.drop()
    time.sleep(fault.after_s)
    with running.chaos.under(fault):
        ends_s = time.monotonic() + fault.lasts_s
        running.drop()
        time.sleep(max(0.0, ends_s - time.monotonic()))
    recovered_s = running.through_s(GIVE_UP_S)
    running.rounds.append(Round(fault, recovered_s, os.getloadavg()[0]))
    took = (
        f"recovered after {recovered_s:.1f} s" if recovered_s is not None else f"NEVER RECOVERED: {running.standing()}"
    )
    if recovered_s is None:  # the world's folder goes with it, and what happened is in its logs
        shutil.copytree(running.world.folder / "logs", LOGS_KEPT / str(fault.number), dirs_exist_ok=True)
    running.say(f"{fault.number:>3} {fault.words}, {fault.lasts_s:g} s: {took}")


def _left_alone(running: _Running, lasts_s: float) -> None:
    ends_s = time.monotonic() + lasts_s
    while time.monotonic() < ends_s:
        running.drop()
        if running.through_s(GIVE_UP_S) is None:
            running.chaos.notes.append(f"with nothing broken: {running.standing()}")
            return
        time.sleep(PACE_S)


def _settled(running: _Running) -> Found:
    """What is found once copies are made and vectors entered, or after a minute as it is."""
    give_up_s = time.monotonic() + SETTLE_S
    while True:
        try:
            found = running.outlook.found()
        except OSError:  # the indexer is just starting
            found = None
        if found and all(alert.has_copies for alert in found.alerts) and found.vectors == len(found.people):
            return found
        if time.monotonic() > give_up_s:
            assert found is not None, f"the indexer does not answer; logs: {_last_words(running)}"
            return found
        time.sleep(LOOK_EVERY_S)


def _last_words(running: _Running) -> str:
    logs = sorted((running.world.folder / "logs").glob("*.log"))
    return "\n".join(f"{log.stem}: {log.read_text(errors='replace')[-600:]}" for log in logs)
