"""How guessing is slowed down, on a clock of the test's own."""

from consumers.access.throttle import FREE_TRIES, FREE_TRIES_WIDE, LONGEST_WAIT_S, MOST_KEYS, Throttle


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_few_mistakes_cost_nothing_and_then_every_one_doubles_the_wait():
    clock = Clock()
    throttle = Throttle(clock)
    assert [throttle.begin("anna", "10.0.0.1") for _ in range(FREE_TRIES)] == [0] * FREE_TRIES
    waits = []
    for _ in range(3):
        waits.append(throttle.begin("anna", "10.0.0.1"))
        clock.now += waits[-1]
        assert throttle.begin("anna", "10.0.0.1") == 0
    assert waits == [2.0, 4.0, 8.0]
    assert throttle.begin("anna", "10.0.0.2") == 0
    assert throttle.begin("ben", "10.0.0.1") == 0


def test_the_wait_has_an_end_and_is_forgotten_in_time():
    clock = Clock()
    throttle = Throttle(clock)
    waits = []
    for _ in range(200):
        waits.append(throttle.begin("anna", "10.0.0.1"))
        clock.now += waits[-1]
    assert max(waits) == LONGEST_WAIT_S
    clock.now += 3600
    assert [throttle.begin("anna", "10.0.0.1") for _ in range(FREE_TRIES)] == [0] * FREE_TRIES


def test_one_name_guessed_from_many_addresses_is_slowed_down_and_so_is_one_address_trying_many_names():
    throttle = Throttle(Clock())
    for number in range(FREE_TRIES_WIDE):
        assert throttle.begin("anna", f"10.0.1.{number}") == 0
        assert throttle.begin(f"user{number}", "10.0.0.9") == 0
    assert throttle.begin("anna", "10.9.9.9") > 0
    assert throttle.begin("nobody yet", "10.0.0.9") > 0


def test_signing_in_forgives_that_name_at_that_address_and_neither_forgives_the_address_nor_costs_it_anything():
    clock = Clock()
    throttle = Throttle(clock)
    for number in range(FREE_TRIES_WIDE):
        throttle.begin(f"user{number}", "10.0.0.1")
    clock.now += throttle.begin("anna", "10.0.0.1")
    for _ in range(FREE_TRIES + 1):
        assert throttle.begin("anna", "10.0.0.1") == 0
        throttle.succeeded("anna", "10.0.0.1")
    assert throttle.begin("carol", "10.0.0.1") == 0
    assert throttle.begin("dave", "10.0.0.1") == 4.0


def test_a_flood_of_invented_names_takes_no_more_memory_than_is_set_aside():
    throttle = Throttle(Clock())
    for number in range(MOST_KEYS):
        throttle.begin(f"user{number}", f"address{number}")
    assert len(throttle._failures) == MOST_KEYS
