"""Open questions and captions in LLaVA's JSON, and the judge that marks them."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.humanvlm import HumanVLM
from tests.builders_judge import JudgeServer, judge_server
from tests.builders_llava import tiny_llava
from tests.builders_model import tiny_humanvlm
from tests.builders_photos import drawn_worker
from trainer.errors import EvaluationError, JudgeError
from trainer.evaluation.conversations import Conversations, read_conversations
from trainer.evaluation.dialogue import answers_to, measure_dialogue
from trainer.evaluation.judge import Judge, Marked

HAT = "Is this person wearing a hard hat?"
MARKED = [Marked("What colour?", "yellow", "a yellow one"), Marked("What colour?", "red", "a yellow one")]


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with judge_server() as judge:
        yield judge


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> HumanVLM:
    return HumanVLM.load(tiny_humanvlm(tmp_path_factory.mktemp("tiny")), device="cpu")


def llava_file(folder: Path, turns: list[tuple[str, str]], *, broken_rows: int = 0) -> Path:
    """A LLaVA JSON file with one row a pair of turns, all about one drawn worker, then rows without a picture."""
    (folder / "images").mkdir(parents=True)
    photo = np.full((200, 240, 3), 120, dtype=np.uint8)
    drawn_worker(photo, 20)
    cv2.imwrite(str(folder / "images" / "worker.jpg"), photo[..., ::-1])
    rows = [
        {
            "image": "worker.jpg",
            "conversations": [{"from": "human", "value": f"<image>\n{asked}"}, {"from": "gpt", "value": answer}],
        }
        for asked, answer in turns
    ]
    rows += [{**rows[0], "image": f"missing{index}.jpg"} for index in range(broken_rows)]
    path = folder / "llava.json"
    path.write_text(json.dumps(rows))
    return path


def conversations(folder: Path, *turns: tuple[str, str]) -> Conversations:
    return read_conversations(llava_file(folder, list(turns)))


def test_rows_become_questions_and_captions_and_broken_ones_are_counted(tmp_path: Path) -> None:
    turns = [(HAT, "yes")] * 9 + [("Describe the person.", "a worker")]
    read = read_conversations(llava_file(tmp_path, turns, broken_rows=1))
    assert read.unreadable_rows == 1
    assert [example.is_caption for example in read.examples] == [False] * 9 + [True]
    assert read.examples[0].question == HAT
    assert read.examples[0].crop.pixels.shape == (200, 240, 3)


@pytest.mark.parametrize("contents", ["[", "{}", "[]", '[{"image": 3}]', '[{"image": "x.jpg", "conversations": []}]'])
def test_a_file_without_readable_rows_is_refused(tmp_path: Path, contents: str) -> None:
    path = tmp_path / "llava.json"
    path.write_text(contents)
    with pytest.raises(EvaluationError, match=r"llava\.json"):
        read_conversations(path)


def test_a_file_with_more_than_a_tenth_of_broken_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="only 9 of 11 rows can be read, 90% are needed: 2 image missing"):
        read_conversations(llava_file(tmp_path, [(HAT, "yes")] * 9, broken_rows=2))


def test_a_known_question_is_decided_and_any_other_gets_the_description(model: HumanVLM, tmp_path: Path) -> None:
    read = conversations(tmp_path, (HAT, "yes"), ("What is on the head?", "a hat"), ("Describe them.", "a worker"))
    answers = answers_to(model, read.examples)
    assert [way for _, way in answers] == ["decided", "described", "described"]
    assert answers[0][0] == model.decide([read.examples[0].crop], model.questions)[0][0].answer
    assert answers[1][0] == model.describe([read.examples[1].crop])[0]


def test_a_model_with_words_of_its_own_is_asked_each_question_itself(tmp_path: Path) -> None:
    writer = HumanVLM.load(tiny_llava(tmp_path / "model"), device="cpu")
    turns = ("What colour is it?", "yellow"), ("Describe them.", "a worker"), ("What is it?", "a hat")
    read = conversations(tmp_path / "llava", *turns)
    answers = answers_to(writer, read.examples)
    assert [way for _, way in answers] == ["written", "described", "written"]
    crops = [example.crop for example in read.examples]
    assert [text for text, _ in answers] == [
        writer.answer(crops[:1], turns[0][0])[0],
        writer.describe(crops[1:2])[0],
        writer.answer(crops[2:], turns[2][0])[0],
    ]
    score = measure_dialogue(writer, read)
    assert score.questions is not None
    assert score.captions is not None
    assert (score.questions.ways, score.captions.ways) == ({"written": 2}, {"described": 1})
    assert np.isnan(score.questions.judged.value)


def test_the_judge_marks_answers_and_is_counted_beside_the_match(
    model: HumanVLM, server: JudgeServer, tmp_path: Path
) -> None:
    read = conversations(tmp_path, ("What is it?", "a giraffe"), ("Caption this.", "a giraffe"))
    score = measure_dialogue(model, read, Judge(server.url, "gauge", key="secret"))
    assert score.questions is not None
    assert score.captions is not None
    assert (score.questions.judged.value, score.captions.judged.value) == (0.0, 0.0)
    assert server.keys == {"Bearer secret"}
    assert {request["model"] for request in server.requests} == {"gauge"}


def test_a_judge_that_stumbles_is_asked_again(server: JudgeServer) -> None:
    server.failures = [500, 429, 503]
    assert Judge(server.url + "/v1/", "gauge").verdicts(MARKED) == [True, False]
    assert len(server.requests) == 5


def test_a_judge_that_says_neither_right_nor_wrong_has_not_judged(server: JudgeServer) -> None:
    server.verdict = "I would rather not."
    assert Judge(server.url, "gauge").verdicts(MARKED) == [None, None]


def test_a_judge_that_refuses_or_is_away_ends_the_evaluation(server: JudgeServer) -> None:
    server.failures = [401, 401]
    with pytest.raises(JudgeError, match="401"):
        Judge(server.url, "gauge").verdicts(MARKED[:1])
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(JudgeError, match="cannot ask the judge"):
            Judge(f"http://127.0.0.1:{unused.getsockname()[1]}", "gauge").verdicts(MARKED[:1])
