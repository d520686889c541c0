"""Rules and a model server: what it was measured on decides about drafts, and it is asked what is new about footage."""

import base64
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from consumers.alerts.build import rules_in_force, tried_on_footage
from consumers.alerts.standing import Standing
from consumers.alerts.trying import Trial
from consumers.indexer.people import Links, PeopleTable
from consumers.settings import AlerterSettings
from model.decisions import DecisionSheet, MeasuredQuestion
from streamer.bus.media import MediaStore
from tests.builders_llava import tiny_llava
from tests.builders_model import tiny_humanvlm
from tests.builders_rules import NOON, a_result, a_rule, a_standing, stored
from tests.builders_served import Desk, llava_pipeline

HAT = a_rule("hat", question={"text": "Is this person wearing a hard hat?", "complying": ["yes"]})


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Desk(llava_pipeline(tiny_llava(tmp_path_factory.mktemp("llava")))).open() as opened:
        yield opened


def settings_of(folder: Path, server: dict[str, object]) -> AlerterSettings:
    return AlerterSettings.read(
        state={"folder": folder},
        vlm={"device": "cpu", "server": {"model": "tiny", "route": "decisions", **server}},
    )


def in_force(settings: AlerterSettings) -> Standing:
    settings.rules_path.write_text(yaml.safe_dump({"rules": [HAT.model_dump(mode="json")]}))
    return rules_in_force(settings).look()


def test_a_rule_on_what_the_served_model_was_measured_on_is_in_force(tmp_path: Path) -> None:
    asked = HAT.question.asked
    measured = MeasuredQuestion(kind=asked.kind, text=asked.text, answers=asked.answers)
    sheet = tmp_path / "decision.json"
    sheet.write_text(DecisionSheet(questions=(measured,)).model_dump_json())
    url = "http://127.0.0.1:9"
    assert [rule.id for rule in in_force(settings_of(tmp_path, {"url": url, "decision_sheet": sheet})).in_force] == [
        "hat"
    ]
    sheet.write_text('{"questions": 3}')
    for server in ({"url": url, "decision_sheet": sheet}, {"url": url}):
        (one,) = in_force(settings_of(tmp_path, server)).rules
        assert one.status == "draft"
        assert "(tiny) was not measured" in str(one.why_draft)
        assert "embedded was: set vlm.name to it, and leave vlm.server.url empty" in str(one.why_draft)


def store_footage(settings: AlerterSettings) -> int:
    """One segment with somebody in it, whose crops are kept; how many looks there are."""
    store, people = MediaStore(settings.media_url), PeopleTable(settings.database_url)
    result = a_result("s0", "BBBB")
    embeddings = {person.person_id: base64.b64decode(person.embedding_base64) for person in result.people}
    people.record(result, stored(store, result).manifest_uri, Links({}, {}), embeddings)
    people.close()
    _, jpeg = cv2.imencode(".jpg", np.full((160, 60, 3), 128, dtype=np.uint8))
    looks = [look for person in result.people for look in person.looks]
    for look in looks:
        store.write(look.crop_uri, jpeg.tobytes())
    return len(looks)


def tried(settings: AlerterSettings, stopping: threading.Event) -> Trial:
    return tried_on_footage(
        settings,
        a_standing(HAT),
        a_standing(),
        since=NOON,
        until=NOON + timedelta(hours=1),
        is_stopping=stopping.is_set,
    )


def test_a_new_question_about_old_footage_is_put_to_the_server_and_no_longer_than_one_waits(
    desk: Desk, tmp_path: Path
) -> None:
    tower = str(tiny_humanvlm(tmp_path / "tower"))
    settings = settings_of(tmp_path / "state", {"url": desk.url, "tower": tower})
    looks = store_footage(settings)
    assert tried(settings, threading.Event()).looks_asked_again == looks
    assert len(desk.asked) == looks
    away = settings_of(tmp_path / "state", {"url": "http://127.0.0.1:9", "tower": tower})
    stopping = threading.Event()
    threading.Timer(0.4, stopping.set).start()
    assert tried(away, stopping).segments == 0
