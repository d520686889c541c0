"""What the page says of a person, as HTML: escaped, short, and no more than is known."""

from datetime import UTC, datetime

import pytest

from consumers.indexer.people import Counts
from consumers.search.client import IndexStatus
from consumers.web.components.answers import answer_chips, answer_lengths, length_of
from consumers.web.components.clip_player import walk_keyframes
from consumers.web.components.hit_card import hit_body
from consumers.web.components.hit_groups import HitGroup
from consumers.web.components.person_card import Now, card_body, crop_image
from consumers.web.light import Standing, judge
from consumers.web.rooms.live import why_empty
from consumers.web.schemas import (
    AnswerShape,
    CameraShape,
    ClipShape,
    CropShape,
    PersonDetailShape,
    PersonShape,
    StepShape,
)
from consumers.web.search.shapes import HitShape, WhyShape
from model.questions import CANNOT_TELL

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = Now(NOON, UTC)


def answer(answer: str, probability: float = 0.9, *, kind: str = "predicate", reason: str | None = None) -> AnswerShape:
    others = {"yes", "no", CANNOT_TELL} - {answer}
    return AnswerShape.model_validate(
        {
            "question_id": "q",
            "text": "Is this person wearing a hard hat?",
            "label": "hard hat",
            "kind": kind,
            "answer": answer,
            "reason": reason,
            "probabilities": {answer: probability, **dict.fromkeys(sorted(others), (1 - probability) / len(others))},
        }
    )


def person(chain: str = "c1", caption: str = "a person", **more: object) -> PersonShape:
    return PersonShape.model_validate(
        {
            "id": 1,
            "person_id": f"p-{chain}",
            "track_id": "s/1",
            "chain_id": chain,
            "camera_id": "gate",
            "first_seen_at": NOON,
            "last_seen_at": NOON,
            "time_origin": "clock",
            "caption": caption,
            "crop": CropShape(url="/media/crops/1.jpg", width_px=60, height_px=200),
            "answers": (),
            "clip": ClipShape(url="/media/media/1.mp4", started_at=NOON, at_s=1, width_px=640, height_px=480),
            "detection_score": 0.9,
            "analysis_revision": "r",
            "revisions": {},
            **more,
        }
    )


def test_words_from_outside_are_escaped_wherever_they_stand():
    evil = "<script>alert(1)</script>\"'"
    reason = WhyShape(similarity=0.5, matched_words=(evil,), embedding_space="")
    hit = HitShape(score=1, person=person(caption=evil), why=reason)
    shown = card_body(person(caption=evil)) + hit_body(HitGroup(1, (hit,)), NOW)
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;" in shown


def test_no_answers_make_no_chips():
    assert answer_chips([]) == '<ul class="answers"></ul>'


def test_a_chips_bar_is_yes_against_no_and_its_number_waits_for_the_pointer():
    chip = answer_chips([answer("no", 0.8)])
    assert "--p:0.111" in chip  # 0.1 yes against 0.8 no
    assert 'title="Is this person wearing a hard hat? no 80%, cannot tell 10%, yes 10%"' in chip
    assert "80%" not in chip.split(">", 2)[2]


def test_answers_unknown_for_one_reason_share_a_chip_and_other_reasons_have_their_own():
    chips = answer_chips([answer(CANNOT_TELL, reason="too small")] * 2 + [answer(CANNOT_TELL, reason="part hidden")])
    assert chips.count("<li") == 2
    assert "2 questions: too small" in chips
    assert "hard hat: part hidden" in chips


def test_an_unmeasured_answer_says_so_on_its_chip():
    assert "hat (unmeasured)" in answer_chips([answer("yes", reason="unmeasured")])
    assert "unmeasured" not in answer_chips([answer("yes")])


def test_a_colour_of_nothing_is_not_said_in_a_list():
    assert answer_chips([answer("none", kind="choice")]) == '<ul class="answers"></ul>'
    assert "none" in answer_lengths([answer("none", kind="choice")])


def test_the_notch_of_a_full_bar_halves_what_is_not_unknown():
    assert "--mark:0.450" in answer_lengths([answer("yes", 0.8)])  # cannot tell 0.1, so yes and no share 0.9


def test_a_length_needs_no_division_by_nothing():
    assert length_of(answer(CANNOT_TELL, 1.0)) == 0.0


def test_only_an_enlarged_crop_says_its_real_size():
    assert "px<" not in crop_image(CropShape(url="/1.jpg", width_px=90, height_px=200), 176)
    small = crop_image(CropShape(url="/1.jpg", width_px=40, height_px=88), 176)
    assert "40 × 88 px" in small
    assert 'title="Shown 2.0 times its real size"' in small


def test_a_walk_known_at_one_second_stands_still_and_a_longer_one_moves():
    still = walked(StepShape(at_s=2.0, left=0.1, top=0.2, width=0.3, height=0.4))
    assert still.count("left:10.00%") == 2
    moving = walked(*(StepShape(at_s=s, left=s / 10, top=0, width=0.1, height=0.5) for s in (1.0, 2.0, 5.0)))
    assert [part.split("{")[0] for part in moving.split("}")[:3]][1:] == ["25.00%", "100.00%"]


def walked(*path: StepShape) -> str:
    return walk_keyframes(PersonDetailShape.model_validate({**dict(person()), "path": path, "chain": ()}))


COUNTS = Counts(people=4, segments=2, rejections=0, chains=3)
INDEX = IndexStatus(4, 2, 0, 3, keys=4)


@pytest.mark.parametrize(
    ("standing", "level", "words"),
    [
        (Standing(COUNTS, INDEX), "good", "Up to date"),
        (Standing(COUNTS, IndexStatus(4, 2, 0, 3, keys=3)), "behind", "Behind: 1 person cannot be searched yet"),
        (Standing(COUNTS, search_error="refused"), "down", "No new people: the indexer does not answer"),
        (Standing(table_error="locked", search_error="refused"), "down", "The list of people cannot be read"),
    ],
)
def test_the_light_has_a_reason(standing: Standing, level: str, words: str):
    status = judge(standing)
    assert (status.level, status.reason) == (level, words)


@pytest.mark.parametrize(
    ("camera", "sent", "is_demo", "words"),
    [
        (None, (), False, "No camera has sent anything"),
        (None, (), True, "within a minute"),
        ("roof", ("gate",), False, "The camera 'roof' has sent nothing"),
        (None, ("gate", "yard"), True, "from 'gate' and 'yard', and nobody was in it"),
    ],
)
def test_an_empty_list_says_why(camera: str | None, sent: tuple[str, ...], is_demo: bool, words: str):
    cameras = tuple(CameraShape(camera_id=name, people=0, last_segment_at=NOON) for name in sent)
    assert words in why_empty(camera, cameras, is_demo=is_demo)[2]
