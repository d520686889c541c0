"""HumanVLM behind real servers: `transformers serve`, and one that fails on cue. What fails is waited for, what is
refused is told, and neither becomes an answer.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi import Response
from PIL import Image
from transformers import AutoProcessor, DecisionPipeline, LlavaForConditionalGeneration

from consumers.analyzer.analyze import Segment, analyze_batch
from consumers.analyzer.build import open_eyes
from consumers.errors import WorkAbandonedError
from consumers.settings import AnalyzerSettings
from model.crops import Crop
from model.decisions import DecisionSheet, MeasuredQuestion
from model.errors import DecisionSheetError, ModelServerError, WaitAbandonedError
from model.humanvlm import FAR_AWAY, HumanVLM
from model.layouts.settings import CAPTION_REQUEST, CAPTION_TOKENS_AT_MOST
from model.questions import CANNOT_TELL, NOT_TRAINED, TOO_SMALL, Decision, Question
from model.served.address import Route, ServedModel, ServerAddress
from model.served.answers import REFUSED
from model.served.humanvlm import UNDESCRIBED, ServedHumanVLM
from model.served.server import Ask, ModelServer
from tests.builders_consumers import a_segment
from tests.builders_llava import tiny_llava
from tests.builders_model import QUESTIONS, tiny_humanvlm
from tests.builders_served import Desk, Fault, llava_pipeline, refusing, transformers_serve

HAT = Question("predicate", "Is this person wearing a hard hat?")
COLOUR = Question("choice", "What colour is the hard hat?", ("yellow", "white", "orange"))
ORDER = Question("score", "How tidy is this place?", ("tidy", "cluttered", "blocked"))
ASKED = (HAT, COLOUR, ORDER)


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_humanvlm(tmp_path_factory.mktemp("tower")))


@pytest.fixture(scope="module")
def decide(llava: Path) -> DecisionPipeline:
    return llava_pipeline(llava)


@pytest.fixture
def desk(decide: DecisionPipeline) -> Iterator[Desk]:
    with Desk(decide).open() as opened:
        yield opened


@pytest.fixture(scope="module")
def serving(llava: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of `transformers serve`."""
    with transformers_serve(llava, tmp_path_factory.mktemp("serve") / "serve.log") as url:
        yield url


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder, so that the detector is converted once."""
    return tmp_path_factory.mktemp("state")


def served(address: ServerAddress, tower: str, **differing: Any) -> ServedHumanVLM:
    return ServedHumanVLM.open(
        ServedModel(address, address, **{"route": "decisions", "tower": tower, **differing}), device="cpu"
    )


def crops(count: int, *, height_px: int = 120) -> list[Crop]:
    chance = np.random.default_rng(count)
    return [
        Crop(chance.integers(0, 256, (height_px + i, 50 + i, 3), dtype=np.uint8), person_height_px=height_px)
        for i in range(count)
    ]


def by_pipeline(decide: DecisionPipeline, crop: Crop) -> list[dict[str, float]]:
    """What transformers' own pipeline says of a crop to `ASKED`."""
    said = decide(
        {
            "state": "<crop>",
            "assets": {"<crop>": Image.fromarray(crop.pixels)},
            "questions": {
                "hat": {"type": "noul", "instructions": HAT.text},
                "colour": {"type": "choice", "instructions": COLOUR.text, "criteria": dict.fromkeys(COLOUR.answers)},
                "order": {"type": "score", "instructions": ORDER.text, "criteria": list(ORDER.answers)},
            },
        }
    )
    order = said["order"]["probabilities"]
    return [
        {"yes": said["hat"]["noul"], "no": 1 - said["hat"]["noul"], CANNOT_TELL: 0.0},
        {**said["colour"]["probabilities"], CANNOT_TELL: 0.0},
        {**{level: order[str(i)] for i, level in enumerate(ORDER.answers)}, CANNOT_TELL: 0.0},
    ]


def assert_says(decisions: Sequence[Sequence[Decision]], expected: Sequence[Sequence[dict[str, float]]]) -> None:
    for row, wanted in zip(decisions, expected, strict=True):
        for decision, probabilities in zip(row, wanted, strict=True):
            assert dict(decision.probabilities) == pytest.approx(probabilities, abs=1e-3)


def test_transformers_serve_answers_as_its_own_pipeline_and_writes_as_its_own_model(
    serving: str, llava: Path, decide: DecisionPipeline, tower: str
) -> None:
    model = served(ServerAddress(serving, str(llava)), tower, route="systemone")
    model.check()
    people = crops(3)
    reading = model.read(model.see(people), ASKED)
    assert_says(reading.decisions, [by_pipeline(decide, crop) for crop in people])
    assert not any(decision.is_measured for row in reading.decisions for decision in row)
    np.testing.assert_allclose(reading.vectors, HumanVLM.load(tower, device="cpu").embed(people), atol=1e-6)
    assert model.describe(people[:1]) == [greedy(llava, people[0], CAPTION_REQUEST)]
    assert model.answer(people[:1], "What colour is the vest?") == [
        greedy(llava, people[0], "What colour is the vest?")
    ]


def greedy(llava: Path, crop: Crop, request: str) -> str:
    """What the model of a folder says to a request about a crop, generated by transformers in this process."""
    processor = AutoProcessor.from_pretrained(llava)
    shown = {"type": "image", "image": Image.fromarray(crop.pixels)}
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": [shown, {"type": "text", "text": request}]}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    written = LlavaForConditionalGeneration.from_pretrained(llava, dtype=torch.float32).generate(
        **inputs, do_sample=False, max_new_tokens=CAPTION_TOKENS_AT_MOST
    )
    text = processor.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return " ".join(str(text).split())


def test_analyze_asks_the_server_that_the_settings_name(
    serving: str, llava: Path, tower: str, state: Path, tmp_path: Path, clip: Callable[[str], Path]
) -> None:
    environment = {
        **os.environ,
        "CREWSIGHT_VLM__SERVER__URL": serving,
        "CREWSIGHT_VLM__SERVER__MODEL": str(llava),
        "CREWSIGHT_VLM__SERVER__TOWER": tower,
        "CREWSIGHT_STATE__FOLDER": str(state),
        "CREWSIGHT_SAMPLING__TARGET_FPS": "3",
        "CREWSIGHT_SAMPLING__LOOKS_AT_MOST": "2",
    }
    command = [
        sys.executable,
        "-m",
        "crewsight",
        "analyze",
        str(clip("worker-zone.mp4")),
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    worker = json.loads(done.stdout.splitlines()[0])
    assert len(worker["answers"]) == len(QUESTIONS)
    assert all(sum(answer.values()) == pytest.approx(1, abs=1e-3) for answer in worker["answers"].values())
    assert len(worker["unmeasured"]) == len(QUESTIONS)
    assert worker["caption"] not in ("", FAR_AWAY, UNDESCRIBED)


@pytest.mark.parametrize(
    ("route", "pictures"), [("decisions", "assets"), ("sglang", "assets"), ("systemone", "images")]
)
def test_every_form_gets_the_same_answers_of_the_same_model(
    desk: Desk, decide: DecisionPipeline, tower: str, route: Route, pictures: Any
) -> None:
    model = served(desk.address(), tower, route=route, pictures=pictures)
    model.check()
    people = crops(2)
    assert_says(model.decide(people, ASKED), [by_pipeline(decide, crop) for crop in people])
    assert model.describe(people[:1]) == ["Head: seen. Body: 50 by 120. Surroundings: none."]


def half_a_reply(body: dict[str, Any]) -> Response:
    return Response(b'{"answers": [{"type": "predi', media_type="application/json")


def slow(body: dict[str, Any]) -> None:
    time.sleep(1.0)  # longer than the tests' timeout


@pytest.mark.parametrize(
    "fault",
    [
        refusing(500, "boom"),
        refusing(503, "loading", **{"Retry-After": "0"}),
        refusing(429, "later"),
        half_a_reply,
        slow,
    ],
    ids=["500", "503", "429", "malformed", "slow"],
)
def test_a_server_that_fails_is_asked_again_until_it_answers(
    desk: Desk, decide: DecisionPipeline, tower: str, fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    desk.faults = [Fault(fault, times=3)]
    model = served(desk.address(timeout_s=0.5 if fault is slow else 30, concurrency=1), tower)
    people = crops(1)
    assert_says(model.decide(people, ASKED), [by_pipeline(decide, crop) for crop in people])
    assert len(desk.asked) >= 4
    told = [record.getMessage() for record in caplog.records if record.name == "model.served.server"]
    assert told == ["the model server does not answer, waiting for it", "the model server answers again"]


def test_a_server_that_is_not_there_yet_is_waited_for(decide: DecisionPipeline, tower: str) -> None:
    desk = Desk(decide)
    people = crops(2)
    heard: list[list[list[Decision]]] = []
    asking = threading.Thread(target=lambda: heard.append(served(desk.address(), tower).decide(people, [HAT])))
    asking.start()
    asking.join(0.5)
    assert asking.is_alive()
    with desk.open():
        asking.join(60)
        assert not asking.is_alive()
    assert_says(heard[0], [by_pipeline(decide, crop)[:1] for crop in people])


def test_the_wait_for_a_server_ends_when_told_to_stop(decide: DecisionPipeline, tower: str) -> None:
    model = served(Desk(decide).address(), tower)
    stopping = threading.Event()
    threading.Timer(0.4, stopping.set).start()
    with model.heeding(stopping.is_set), pytest.raises(WaitAbandonedError):
        model.decide(crops(3), ASKED)


def test_the_wait_for_a_server_ends_when_it_is_interrupted(decide: DecisionPipeline) -> None:
    server = ModelServer(Desk(decide).address())
    threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        server.ask([Ask("/v1/decisions", dict, bytes.decode)])


def test_the_analyzer_abandons_its_work_when_told_to_stop_while_the_server_is_away(
    desk: Desk, tower: str, state: Path, clip: Callable[[str], Path]
) -> None:
    settings = AnalyzerSettings.read(
        state={"folder": state},
        sampling={"target_fps": 3},
        vlm={"server": {"url": desk.url, "model": "tiny", "route": "decisions", "tower": tower}},
    )
    eyes = open_eyes(settings)
    stopping = threading.Event()

    def stop(body: dict[str, Any]) -> Response:
        stopping.set()
        return refusing(502, "gone")(body)

    desk.faults = [Fault(stop, times=10**6)]
    with pytest.raises(WorkAbandonedError):
        analyze_batch([Segment(a_segment("s"), clip("worker-zone.mp4"))], eyes, is_stopping=stopping.is_set)


def test_one_question_that_a_server_refuses_is_cannot_tell_with_its_reason_and_the_others_are_answered(
    desk: Desk, decide: DecisionPipeline, tower: str
) -> None:
    def picky(body: dict[str, Any]) -> Response | None:
        refuses = any(question["instructions"] == COLOUR.text for question in body["questions"])
        return refusing(400, "no colours here")(body) if refuses else None

    desk.faults = [Fault(picky, times=10**6)]
    people = crops(2)
    expected = [by_pipeline(decide, crop) for crop in people]
    for (hat, colour, order), wanted in zip(served(desk.address(), tower).decide(people, ASKED), expected, strict=True):
        assert_says([[hat, order]], [[wanted[0], wanted[2]]])
        assert colour.answer == CANNOT_TELL
        assert colour.reason == f"{REFUSED}: 400, no colours here"


def test_a_refused_caption_is_said_to_be_one(desk: Desk, tower: str) -> None:
    desk.faults = [Fault(refusing(422, "no people"))]
    assert served(desk.address(concurrency=1), tower).describe(crops(2)) == [
        UNDESCRIBED,
        "Head: seen. Body: 51 by 121. Surroundings: none.",
    ]


def test_an_open_question_that_a_server_refuses_is_cannot_tell_with_its_reason(desk: Desk, tower: str) -> None:
    desk.faults = [Fault(refusing(422, "no people"))]
    model = served(desk.address(concurrency=1), tower)
    refused, answered, small = model.answer([*crops(2), *crops(1, height_px=40)], ["What hat?", "What vest?", "Who?"])
    assert refused == f"{CANNOT_TELL} ({REFUSED}: 422, no people)"
    assert answered == "Head: seen. Body: 51 by 121. Surroundings: none."
    assert small == CANNOT_TELL
    asked = [body["messages"][0]["content"][-1]["text"] for body in desk.asked]
    assert asked == ["What hat?", "What vest?"]


def test_requests_go_side_by_side_and_never_more_than_allowed(desk: Desk, tower: str) -> None:
    desk.faults = [Fault(lambda body: time.sleep(0.1), times=12)]
    served(desk.address(concurrency=3), tower).decide(crops(12), [HAT])
    assert 1 < desk.most_at_once <= 3


def test_nobody_too_small_is_sent_anywhere(desk: Desk, tower: str) -> None:
    model = served(desk.address(), tower)
    seen = model.see([*crops(1, height_px=40), *crops(1)])
    small, tall = model.decide(seen, [HAT])
    assert (small[0].answer, small[0].reason) == (CANNOT_TELL, TOO_SMALL)
    assert tall[0].reason is None
    assert model.describe(seen.of([0])) == [FAR_AWAY]
    assert model.read(model.see([]), ASKED).decisions == []
    assert len(desk.asked) == 1


def test_a_decision_sheet_says_what_is_measured_and_how_answers_are_put_right(
    desk: Desk, decide: DecisionPipeline, tower: str, tmp_path: Path
) -> None:
    hat = MeasuredQuestion(kind=HAT.kind, text=HAT.text, answers=HAT.answers, temperature=2.0)
    path = tmp_path / "decision.json"
    path.write_text(DecisionSheet(questions=(hat,)).model_dump_json())
    people = crops(1)
    plain, model = served(desk.address(), tower), served(desk.address(), tower, sheet=path)
    assert model.questions == (HAT,)
    assert model.answer_revision != plain.answer_revision
    (measured, other), *_ = model.decide(people, [HAT, COLOUR])
    yes = by_pipeline(decide, people[0])[0]["yes"]
    assert measured.is_measured
    assert measured.probabilities["yes"] == pytest.approx(yes**0.5 / (yes**0.5 + (1 - yes) ** 0.5), abs=1e-3)
    assert (other.answer, other.reason) == (CANNOT_TELL, NOT_TRAINED)
    path.write_text('{"questions": 3}')
    with pytest.raises(DecisionSheetError, match="questions"):
        served(desk.address(), tower, sheet=path)


def test_cannot_tell_is_an_answer_of_its_own_where_it_is_offered(desk: Desk, tower: str) -> None:
    for row in served(desk.address(), tower, offers_cannot_tell=True).decide(crops(2), [HAT, COLOUR]):
        for decision in row:
            assert decision.probabilities[CANNOT_TELL] > 0
            assert sum(decision.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_a_server_that_does_not_see_the_pictures_is_refused(desk: Desk, tower: str) -> None:
    blind = served(desk.address(), tower, route="systemone", pictures="assets")  # the desk looks at `images` only
    with pytest.raises(ModelServerError, match="does not see"):
        blind.check()


def test_a_server_that_is_set_up_otherwise_is_an_error_and_no_answer(desk: Desk, tower: str) -> None:
    model = served(replace(desk.address(api_key="secret"), url=f"{desk.url}/nowhere"), tower)
    with pytest.raises(ModelServerError, match="404"):
        model.decide(crops(1), [HAT])
    desk.faults = [Fault(refusing(401, "bad key"))]
    with pytest.raises(ModelServerError, match="bad key"):
        served(desk.address(), tower).decide(crops(1), [HAT])
    desk.faults = [Fault(refusing(400, "unknown model tiny"), times=9)]
    with pytest.raises(ModelServerError, match="unknown model tiny"):
        served(desk.address(), tower).check()
    with pytest.raises(ModelServerError, match="http://"):
        served(ServerAddress("gpu:8000", "tiny"), tower)
