import math

import numpy as np
import pytest

from consumers.analyzer.combine import LOOKS_DISAGREE, combined, mean_direction
from model.questions import CANNOT_TELL, PART_HIDDEN, TOO_SMALL, Decision
from model.served.answers import REFUSED


def says(yes: float, no: float, reason: str | None = None) -> Decision:
    return Decision("q", {"yes": yes, "no": no, CANNOT_TELL: 1 - yes - no}, reason)


TOO_FAR = Decision("q", {"yes": 0.0, "no": 0.0, CANNOT_TELL: 1.0}, TOO_SMALL)


def test_one_look_says_what_it_says() -> None:
    assert combined([says(0.8, 0.1)], [100]).probabilities == {"yes": 0.8, "no": 0.1, CANNOT_TELL: 0.1}


def test_looks_that_are_too_small_have_no_say_unless_all_are() -> None:
    assert combined([TOO_FAR, says(0.8, 0.1)], [40, 100]).answer == "yes"
    both = combined([TOO_FAR, TOO_FAR], [40, 50])
    assert (both.answer, both.reason) == (CANNOT_TELL, TOO_SMALL)


def test_looks_that_a_server_refused_have_no_say_unless_all_are() -> None:
    refused = Decision("q", {"yes": 0.0, "no": 0.0, CANNOT_TELL: 1.0}, f"{REFUSED}: 400, too large")
    assert combined([refused, says(0.8, 0.1)], [150, 100]).probabilities["yes"] == 0.8
    assert combined([refused, refused], [150, 100]).reason == refused.reason


def test_a_close_look_outweighs_a_far_one() -> None:
    assert combined([says(0.1, 0.8), says(0.8, 0.1)], [70, 190]).answer == "yes"
    assert combined([says(0.1, 0.8), says(0.8, 0.1)], [190, 70]).answer == "no"


def test_beyond_two_hundred_pixels_more_height_is_no_more_weight() -> None:
    assert combined([says(0.3, 0.6), says(0.6, 0.3)], [200, 2000]).probabilities["yes"] == pytest.approx(
        combined([says(0.6, 0.3), says(0.3, 0.6)], [200, 2000]).probabilities["yes"], abs=1e-4
    )


def test_looks_that_contradict_each_other_leave_no_sure_answer() -> None:
    decision = combined([says(0.6, 0.01), says(0.01, 0.6)], [100, 100])
    assert (decision.answer, decision.reason) == (CANNOT_TELL, LOOKS_DISAGREE)


def test_one_sure_look_cannot_rule_an_answer_out_for_good() -> None:
    decision = combined([says(0.0, 1.0), *[says(0.9, 0.05)] * 7], [100] * 8)
    assert decision.answer == "yes"


def test_cannot_tell_says_why() -> None:
    decision = combined([says(0.2, 0.1, PART_HIDDEN), says(0.3, 0.2, PART_HIDDEN)], [100, 120])
    assert (decision.answer, decision.reason) == (CANNOT_TELL, PART_HIDDEN)


def test_probabilities_sum_to_one() -> None:
    total = math.fsum(combined([says(0.7, 0.2), says(0.5, 0.4)], [90, 150]).probabilities.values())
    assert total == pytest.approx(1, abs=1e-4)


def test_opposite_looks_still_point_somewhere() -> None:
    vectors = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    assert np.linalg.norm(mean_direction(vectors)) == pytest.approx(1)


def test_one_unmeasured_look_makes_the_answer_unmeasured() -> None:
    opinion = Decision("q", {"yes": 0.8, "no": 0.1, CANNOT_TELL: 0.1}, is_measured=False)
    assert not combined([opinion, TOO_FAR], [100, 40]).is_measured
    assert not combined([Decision("q", says(0.1, 0.1).probabilities, PART_HIDDEN, False)], [100]).is_measured
    assert combined([says(0.8, 0.1), TOO_FAR], [100, 40]).is_measured
