"""The short form of `tests.bench_scaling`: four analyzers, beside one, and beside all cameras on one partition."""

from concurrent.futures import ThreadPoolExecutor

from tests.bench_scaling import LEAST_EFFICIENCY, MOST_ON_ONE_PARTITION, throughput

WINDOW_S = 24.0


def test_four_analyzers_do_nearly_four_times_as_much_and_not_on_one_partition() -> None:
    # At the same time: whatever else the machine does slows all three alike, and they wait more than they work.
    with ThreadPoolExecutor(3) as at_once:
        cases = [(1, False), (4, False), (4, True)]
        runs = [at_once.submit(throughput, n, window_s=WINDOW_S, on_one_partition=one) for n, one in cases]
        alone, four, on_one_partition = (run.result() for run in runs)
    assert four.efficiency(alone) >= LEAST_EFFICIENCY, (alone, four)
    assert on_one_partition.efficiency(alone) < MOST_ON_ONE_PARTITION, (alone, on_one_partition)
