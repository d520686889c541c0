"""Which offsets of each partition are finished, and so what may be committed. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from streamer.bus.client import TopicPartition


@dataclass(slots=True)
class _Partition:
    """Offsets taken and not finished, and the offset after the highest one ever taken."""

    unfinished: set[int] = field(default_factory=set)
    after_last: int = 0
    committed: int = -1


class Progress:
    """Keeps, per partition, the set of unfinished offsets.

    What is committed is the **lowest unfinished offset**: everything before it is done, and after a crash everything
    from it on comes again.

    >>> progress, place = Progress(), TopicPartition("segments", 0)
    >>> for offset in (4, 5, 6): progress.take(place, offset)
    >>> progress.finish(place, 5); progress.due()
    {}
    >>> progress.finish(place, 4); progress.due()
    {TopicPartition(topic='segments', partition=0): 6}
    """

    def __init__(self) -> None:
        self._partitions: dict[TopicPartition, _Partition] = {}

    def take(self, place: TopicPartition, offset: int) -> None:
        """Note that the work on `offset` has begun."""
        partition = self._partitions.setdefault(place, _Partition(committed=offset))
        partition.unfinished.add(offset)
        partition.after_last = max(partition.after_last, offset + 1)

    def finish(self, place: TopicPartition, offset: int) -> None:
        """Note that the result of `offset` is durable; unknown places are somebody else's by now."""
        if place in self._partitions:
            self._partitions[place].unfinished.discard(offset)

    def is_taken(self, place: TopicPartition, offset: int) -> bool:
        """Whether `offset` is being worked on."""
        return place in self._partitions and offset in self._partitions[place].unfinished

    def due(self) -> dict[TopicPartition, int]:
        """Partition -> offset to commit, where it is another than the one committed last."""
        lowest = {
            place: min(partition.unfinished, default=partition.after_last)
            for place, partition in self._partitions.items()
        }
        return {place: offset for place, offset in lowest.items() if offset > self._partitions[place].committed}

    def committed(self, offsets: dict[TopicPartition, int]) -> None:
        """Note what the broker has taken."""
        for place, offset in offsets.items():
            if place in self._partitions:
                self._partitions[place].committed = offset

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """Drop partitions that are somebody else's now."""
        for place in places:
            self._partitions.pop(place, None)

    @property
    def unfinished_count(self) -> int:
        """Messages being worked on, over all partitions."""
        return sum(len(partition.unfinished) for partition in self._partitions.values())
