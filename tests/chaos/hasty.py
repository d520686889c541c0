"""An analyzer with a fault of its own making: it commits what it has taken before it has written anything.

What the checker is proven with: killed in between, it loses segments, and the checker must say so.

    python -m tests.chaos.hasty --config crewsight.yaml
"""

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import consumers.runner
from consumers.analyzer.build import build_analyzer
from consumers.progress import Progress
from consumers.runner import IsStopping, Publication
from consumers.settings import AnalyzerSettings
from streamer.bus.client import Bus, Received, TopicPartition
from streamer.bus.messages import SegmentReady

WORDS = "committed before anything is written"
WORK_S = 20.0  # how long it dallies: whoever kills it has that long


class FinishedWhenTaken(Progress):
    """Takes every offset for finished as soon as it is taken."""

    def take(self, place: TopicPartition, offset: int) -> None:
        """Note that the work has begun, and that it is over."""
        super().take(place, offset)
        self.finish(place, offset)


def main(arguments: Sequence[str]) -> int:
    """Run it until it is killed."""
    logging.basicConfig(level=logging.INFO)
    settings = AnalyzerSettings.read(Path(arguments[1]))
    bus = Bus(settings.bus.bootstrap_servers, partitions=settings.bus.partitions, timeout_s=4.0)
    vars(consumers.runner)["Progress"] = FinishedWhenTaken
    runner = build_analyzer(settings, bus)
    work, committed = runner.stage.work, runner.stage.committed

    def dally(batch: Sequence[Received[SegmentReady]], is_stopping: IsStopping) -> Sequence[Sequence[Publication]]:
        time.sleep(WORK_S)
        return work(batch, is_stopping)

    def tell(offsets: dict[TopicPartition, int], incarnation: str) -> None:
        committed(offsets, incarnation)
        logging.getLogger(__name__).info(WORDS)

    vars(runner.stage).update(work=dally, committed=tell)
    runner.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
