from hypothesis import given
from hypothesis import strategies as st

from consumers.progress import Progress
from streamer.bus.client import TopicPartition

PLACE = TopicPartition("segments", 0)


def taken(count: int) -> Progress:
    progress = Progress()
    for offset in range(count):
        progress.take(PLACE, offset)
    return progress


def test_nothing_is_due_before_anything_is_finished() -> None:
    assert Progress().due() == {}
    assert taken(3).due() == {}


def test_a_later_offset_waits_for_the_earlier_ones() -> None:
    progress = taken(3)
    progress.finish(PLACE, 2)
    assert progress.due() == {}
    progress.finish(PLACE, 0)
    assert progress.due() == {PLACE: 1}
    progress.finish(PLACE, 1)
    assert progress.due() == {PLACE: 3}


def test_what_has_been_committed_is_not_due_again() -> None:
    progress = taken(1)
    progress.finish(PLACE, 0)
    progress.committed({PLACE: 1})
    assert progress.due() == {}


def test_a_partition_that_was_taken_away_is_forgotten_and_its_late_results_are_nothing() -> None:
    progress = taken(2)
    progress.forget([PLACE])
    progress.finish(PLACE, 0)
    assert progress.due() == {}
    assert progress.unfinished_count == 0


@given(st.permutations(range(8)), st.integers(0, 8))
def test_what_is_due_never_passes_an_unfinished_offset(order: list[int], finished: int) -> None:
    progress = taken(8)
    for offset in order[:finished]:
        progress.finish(PLACE, offset)
    lowest = min(order[finished:], default=8)
    assert progress.due() == ({PLACE: lowest} if lowest > 0 else {})
