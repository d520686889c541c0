"""The short form of `tests.bench_scaling`: four analyzers, beside one, and beside all cameras on one partition."""

from tests.bench_scaling import LEAST_EFFICIENCY, MOST_ON_ONE_PARTITION, throughputs

WINDOW_S = 24.0


def test_four_analyzers_do_nearly_four_times_as_much_and_not_on_one_partition() -> None:
    alone, four, on_one_partition = throughputs([(1, False), (4, False), (4, True)], window_s=WINDOW_S)
    assert four.efficiency(alone) >= LEAST_EFFICIENCY, (alone, four)
    assert on_one_partition.efficiency(alone) < MOST_ON_ONE_PARTITION, (alone, on_one_partition)
