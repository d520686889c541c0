"""Garbage is looked for seldom while a block runs, and as before afterwards, however it ends."""

import gc

import pytest

from consumers.collecting import YOUNG_AT_MOST, collecting_seldom


def a_failing_block() -> None:
    with collecting_seldom():
        assert gc.get_threshold()[0] == YOUNG_AT_MOST
        assert gc.get_freeze_count() > 0
        raise OSError("broken")


def test_garbage_is_looked_for_seldom_and_then_as_before_even_after_a_failure() -> None:
    before = gc.get_threshold()
    with pytest.raises(OSError, match="broken"):
        a_failing_block()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
