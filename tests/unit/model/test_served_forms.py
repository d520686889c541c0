"""The forms of questions and answers, byte for byte: what servers say that is no answer must never become one."""

import base64
import json
from typing import Any

import cv2
import numpy as np
import pytest

from model.questions import Question
from model.served.answers import Refusal
from model.served.chat import chat_ask
from model.served.forms import question_form
from model.served.picture import LONGEST_SIDE_PX, Picture

HAT = Question("predicate", "Is this person wearing a hard hat?")
COLOUR = Question("choice", "What colour is the hard hat?", ("yellow", "white"))
ORDER = Question("score", "How tidy is this place?", ("tidy", "cluttered", "blocked"))
ASKED = [HAT, COLOUR, ORDER]
PICTURE = Picture.of(np.zeros((4, 2, 3), dtype=np.uint8))


def openai(*answers: dict[str, Any]) -> bytes:
    return json.dumps({"model": "m", "answers": answers, "usage": {}}).encode()


def system_one(**answers: dict[str, Any]) -> bytes:
    return json.dumps({"model": "m", "answers": answers}).encode()


def test_openais_form_asks_every_kind_about_one_picture() -> None:
    body: Any = question_form("decisions", "assets").body("m", PICTURE, ASKED)
    (message,) = body["input"]
    assert message["role"] == "user"
    assert message["content"] == [{"type": "input_image", "image_url": PICTURE.data_url, "detail": "auto"}]
    assert body["questions"] == [
        {"type": "predicate", "name": "q1", "instructions": HAT.text},
        {
            "type": "choice",
            "name": "q2",
            "instructions": COLOUR.text,
            "choices": [{"value": "yellow"}, {"value": "white"}],
        },
        {
            "type": "score",
            "name": "q3",
            "instructions": ORDER.text,
            "levels": [{"label": "tidy"}, {"label": "cluttered"}, {"label": "blocked"}],
        },
    ]


def test_openais_answers_are_read_whatever_order_their_values_come_in_and_a_refusal_is_one_questions_own() -> None:
    hat, colour, order = question_form("decisions", "assets").answers(
        openai(
            {"type": "refusal", "name": "q1"},
            {
                "type": "choice",
                "name": "q2",
                "choice": "white",
                "confidence": 0.5,
                "probabilities": [{"value": "white", "probability": 0.75}, {"value": "yellow", "probability": 0.25}],
            },
            {
                "type": "score",
                "name": "q3",
                "score": 0.4,
                "confidence": 0.5,
                "probabilities": [
                    {"label": "tidy", "value": 0, "probability": 0.7},
                    {"label": "cluttered", "value": 1, "probability": 0.2},
                    {"label": "blocked", "value": 2, "probability": 0.1},
                ],
            },
        ),
        ASKED,
    )
    assert isinstance(hat, Refusal)
    assert colour == {"yellow": 0.25, "white": 0.75}
    assert order == pytest.approx({"tidy": 0.7, "cluttered": 0.2, "blocked": 0.1})


def test_the_other_forms_carry_the_picture_where_their_servers_look_for_it() -> None:
    assets: Any = question_form("systemone", "assets").body("m", PICTURE, [HAT])
    assert assets["assets"][assets["state"]]["data_base64"] == PICTURE.png_base64
    images: Any = question_form("systemone", "images").body("m", PICTURE, [COLOUR, ORDER])
    assert images["images"] == [PICTURE.data_url]
    assert images["questions"]["q1"]["criteria"] == {"yellow": None, "white": None}
    assert images["questions"]["q2"]["criteria"] == ["tidy", "cluttered", "blocked"]
    sglang: Any = question_form("sglang", "assets").body("m", PICTURE, [HAT])
    assert sglang["images"] == [{"url": PICTURE.data_url}]
    assert sglang["questions"] == [{"id": "q1", "type": "yes_no", "question": HAT.text}]


@pytest.mark.parametrize(
    ("route", "reply"),
    [
        ("decisions", b"<html>busy</html>"),
        ("decisions", b'{"answers": '),
        ("decisions", openai()),
        ("decisions", openai({"type": "predicate", "name": "q2", "probability": 0.5})),
        ("decisions", openai({"type": "predicate", "name": "q1", "probability": 1.5})),
        ("decisions", openai({"type": "predicate", "name": "q1", "probability": float("nan")})),
        ("decisions", openai({"type": "score", "name": "q1", "probabilities": []})),
        ("systemone", system_one()),
        ("systemone", system_one(q1={"type": "noul"})),
        ("systemone", system_one(q1={"type": "choice", "probabilities": {"yes": 1.0}})),
        ("systemone", b'{"error": "out of memory"}'),
        ("sglang", system_one(q1={"type": "yes_no", "probabilities": {"yes": 0.0, "no": 0.0}})),
        ("sglang", system_one(q1={"type": "yes_no", "probabilities": {"yes": 0.4}})),
    ],
)
def test_a_reply_that_is_no_answer_is_never_read_as_one(route: Any, reply: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        question_form(route, "assets").answers(reply, [HAT])


def test_an_answer_that_leaves_a_value_out_is_none() -> None:
    reply = system_one(q1={"type": "choice", "probabilities": {"yellow": 1.0}})
    with pytest.raises(ValueError, match="white"):
        question_form("systemone", "assets").answers(reply, [COLOUR])


@pytest.mark.parametrize(
    ("message", "finish", "written"),
    [
        ({"content": "A worker.\n In a vest. "}, "stop", "A worker. In a vest."),
        ({"content": None, "refusal": "no people, please"}, "stop", Refusal("no people, please")),
        ({"content": "A wor"}, "content_filter", Refusal("its content filter")),
        ({"content": " "}, "stop", Refusal("it wrote nothing")),
    ],
)
def test_a_caption_is_one_line_or_a_refusal(message: Any, finish: str, written: str | Refusal) -> None:
    reply = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": finish}]}).encode()
    assert chat_ask("m", "Describe.", PICTURE, tokens_at_most=9).read(reply) == written


def test_a_large_crop_is_sent_smaller_in_its_own_shape() -> None:
    png = base64.b64decode(Picture.of(np.zeros((2 * LONGEST_SIDE_PX, 100, 3), dtype=np.uint8)).png_base64)
    sent = cv2.imdecode(np.frombuffer(png, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert sent is not None
    assert sent.shape == (LONGEST_SIDE_PX, 50, 3)
