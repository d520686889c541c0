"""What breaks when: drawn from a seed. Pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PROCESSES = ("streamer", "analyzer", "analyzer-2", "indexer", "alerter", "notifier", "page")


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of fault, and how long it lasts: one of two lengths, the first of which is the usual one."""

    name: str
    usual_s: tuple[float, float]
    long_s: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a schedule.

    Attributes:
        kind: What breaks.
        victim: Which process, where the kind leaves that open; else empty.
        lasts_s: From its beginning to its end.
        after_s: How long footage has been on its way when it begins.
    """

    number: int
    kind: str
    victim: str
    lasts_s: float
    after_s: float

    @property
    def words(self) -> str:
        """The fault in a few words."""
        return f"{self.kind}: {self.victim}" if self.victim else self.kind


KILL, DRAIN, PAUSE, CLOCK = "kill -9", "SIGTERM", "a process stands still", "clock jumps"
BROKER_KILL, BROKER_STOP = "kill -9 the broker", "the broker stands still"
DISK, DATABASE, POISON, REBALANCE = "disk full", "PostgreSQL down", "poison", "rebalance"
STORE = "S3 answers 503"

KINDS = (
    Kind(KILL, (0.0, 0.0)),
    Kind(BROKER_KILL, (0.0, 0.0)),
    Kind(BROKER_STOP, (2.0, 6.0), (10.0, 20.0)),
    Kind(DISK, (2.0, 4.0), (8.0, 15.0)),
    Kind(DATABASE, (3.0, 5.0), (30.0, 30.0)),
    Kind(POISON, (0.0, 0.0)),
    Kind(REBALANCE, (1.0, 6.0)),
    Kind(DRAIN, (0.0, 0.0)),
    Kind(PAUSE, (1.0, 4.0), (8.0, 12.0)),
    Kind(CLOCK, (5.0, 9.0)),
    Kind(STORE, (2.0, 5.0), (10.0, 20.0)),
)
VICTIMS = {KILL: PROCESSES, DRAIN: PROCESSES, PAUSE: PROCESSES[:-1], CLOCK: ("streamer", "alerter", "notifier")}
LONG_SHARE = 0.2
OFTEN = {KILL: 3, DRAIN: 2}  # in each round through the kinds: they have the most victims


def draw(seed: int, count: int, *, kinds: Sequence[str], is_short: bool = False) -> list[Fault]:
    """`count` faults: round after round through all `kinds`, each round in an order of its own.

    >>> [fault.words for fault in draw(1, 3, kinds=[KILL, DISK])] == [f.words for f in draw(1, 3, kinds=[KILL, DISK])]
    True
    """
    chance = random.Random(seed)
    known = {kind.name: kind for kind in KINDS}
    victims = {name: _bag(chance, names) for name, names in VICTIMS.items()}
    faults: list[Fault] = []
    while len(faults) < count:
        bag = [name for name in kinds for _ in range(1 if is_short else OFTEN.get(name, 1))]
        for name in chance.sample(bag, len(bag))[: count - len(faults)]:
            kind = known[name]
            is_long = kind.long_s is not None and not is_short and chance.random() < LONG_SHARE
            lasts_s = chance.uniform(*(kind.long_s if is_long and kind.long_s else kind.usual_s))
            victim = next(victims[name]) if name in victims else ""
            faults.append(Fault(len(faults) + 1, name, victim, round(lasts_s, 1), round(chance.uniform(0.3, 1.5), 2)))
    return faults


def _bag(chance: random.Random, names: Sequence[str]) -> Iterator[str]:
    while True:
        yield from chance.sample(names, len(names))
