"""Trying rules on stored footage, and saying why: over a real person table, media store and desk, with a real model."""

import base64
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from consumers.alerts.alerting import Alerting
from consumers.alerts.asking_again import AskingAgain
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.explaining import Explaining, Explanation, Outcome
from consumers.alerts.reports import explanation_lines
from consumers.alerts.rules import Rule
from consumers.alerts.trying import Trial, try_rules
from consumers.errors import NotSeenError
from consumers.indexer.people import Links, PeopleTable
from model.crops import Crop
from model.humanvlm import HumanVLM
from streamer.bus.media import MediaStore, manifest_uri
from tests.builders_model import tiny_humanvlm
from tests.builders_rules import (
    HAT,
    HATLESS,
    NOON,
    VEST,
    FixedRules,
    a_result,
    a_rule,
    a_standing,
    also_of_hats,
    person_of,
    received,
    stored,
)

HAT_RULE = a_rule("hat", question={"text": "Is this person wearing a hard hat?", "complying": ["yes"]})
TIMELINES = [("BBBB", "CCCCCC"), ("B?", "------")]


class Footage:
    """Two segments of one camera, an hour apart, with their people in the table and on the desk."""

    def __init__(self, folder: Path) -> None:
        self.store = MediaStore(str(folder / "media"))
        self.people = PeopleTable(f"sqlite:///{folder / 'people.sqlite3'}")
        self.desk = DeskDatabase(f"sqlite:///{folder / 'desk.sqlite3'}")
        self.rules = FixedRules(a_rule())
        self.results = [a_result(f"s{n}", *people, number=360 * n) for n, people in enumerate(TIMELINES)]
        stage = Alerting(self.desk, self.store, self.rules, now=lambda: NOON)
        for offset, result in enumerate(self.results):
            message = stored(self.store, result)
            embeddings = {person.person_id: base64.b64decode(person.embedding_base64) for person in result.people}
            self.people.record(result, message.manifest_uri, Links({}, {}), embeddings)
            stage.work([received(message, offset)], lambda: False)

    def store_crops(self) -> None:
        _, jpeg = cv2.imencode(".jpg", np.full((160, 60, 3), 128, dtype=np.uint8))
        for result in self.results:
            for person in result.people:
                for look in person.looks:
                    self.store.write(look.crop_uri, jpeg.tobytes())

    def trial(self, *tried: Rule, asking: AskingAgain | None = None, hours: float = 2) -> Trial:
        return try_rules(
            a_standing(*tried),
            self.rules.look(),
            people=self.people,
            store=self.store,
            asking=asking or AskingAgain(self.store),
            since=NOON,
            until=NOON + timedelta(hours=hours),
        )

    def why(self, segment: int, ordinal: int, *rules: Rule) -> Mapping[str, Explanation]:
        asked = Explaining(self.people, self.store, self.desk)
        found = asked.person(person_of(self.results[segment], ordinal), a_standing(*rules))
        return {one.rule_id: one for one in found}


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return Footage(tmp_path_factory.mktemp("footage"))


def test_a_looser_rule_shows_by_the_hour_what_it_would_add_to_the_one_in_force(footage: Footage) -> None:
    loose = a_rule(persistence={"seconds": 1}, status="draft")
    trial = footage.trial(loose)
    assert (trial.segments, trial.people, trial.looks_asked_again) == (2, 4, 0)
    assert list(trial.tried[0].per_hour.values()) == [1, 1]
    beside = trial.beside("vest")
    assert beside is not None
    assert list(beside.per_hour.values()) == [1]
    assert footage.trial(loose, hours=0.5).segments == 1


def test_a_new_question_is_asked_of_the_stored_crops(tmp_path: Path) -> None:
    footage = Footage(tmp_path)
    footage.store_crops()
    checkpoint = tiny_humanvlm(tmp_path / "vlm")
    asking = AskingAgain(footage.store, vlm=str(checkpoint), device="cpu")
    trial = footage.trial(HAT_RULE, asking=asking)
    looks = sum(len(person.looks) for result in footage.results for person in result.people)
    assert (trial.looks_asked_again, asking.crops_gone) == (looks, 0)
    first = footage.results[0].people[0]
    said = asking.ask(footage.results[0], [HAT_RULE.question.asked])[first.person_id, 0]
    pixels = cv2.imdecode(np.frombuffer(footage.store.read(first.looks[0].crop_uri), np.uint8), cv2.IMREAD_COLOR_RGB)
    crop = Crop(np.asarray(pixels, dtype=np.uint8), 150)
    ((decision,),) = HumanVLM.load(checkpoint, device="cpu").decide([crop], [HAT_RULE.question.asked])
    assert said[HAT_RULE.question.asked.question_id] == pytest.approx(dict(decision.probabilities), abs=1e-4)


def test_footage_whose_crops_are_gone_is_not_asked_again(footage: Footage) -> None:
    trial = footage.trial(HAT_RULE, a_rule(only_if=[HATLESS]))
    assert trial.looks_asked_again == 0
    assert [one.alerts for one in trial.tried] == [(), ()], "nor does a condition hold that nobody can ask about"


@pytest.mark.parametrize(
    ("segment", "ordinal", "changed", "outcome", "words"),
    [
        (0, 1, {}, Outcome.ALERT, "a breach in 2 of 2 answered looks (100%), for 2.0 s"),
        (0, 2, {}, Outcome.NONE, "complied in 6 of 6 looks"),
        (1, 1, {}, Outcome.NONE, "it did not last: a breach in 1 of 1"),
        (1, 2, {}, Outcome.NONE, "was not asked"),
        (0, 2, {"cameras": ["ramp"]}, Outcome.NOT_WATCHED, "does not watch camera gate"),
        (0, 1, {"id": "other", "status": "draft"}, Outcome.WOULD, "it is a draft"),
        (0, 1, {"id": "other"}, Outcome.WOULD, "seen no footage since"),
        (0, 1, {"id": "other", "certainty": 0.95}, Outcome.NONE, "certainty of 0.95"),
        (
            0,
            1,
            {"id": "other", "zones": [{"cameras": ["gate"], "polygon": [[0.9, 0.0], [1.0, 0.0], [1.0, 0.1]]}]},
            Outcome.NONE,
            "outside the zone in 4 of 4",
        ),
        (
            0,
            1,
            {"id": "other", "schedule": {"time_zone": "UTC", "hours": [{"since": "01:00", "until": "02:00"}]}},
            Outcome.NONE,
            "outside the rule's schedule",
        ),
    ],
)
def test_why_and_why_not_are_said_with_their_numbers(
    footage: Footage, segment: int, ordinal: int, changed: dict[str, object], outcome: Outcome, words: str
) -> None:
    rule = a_rule(**{"rule_id": changed.pop("id", "vest"), **changed})  # type: ignore[arg-type]
    found = footage.why(segment, ordinal, rule)[rule.id]
    assert found.outcome is outcome, found.because
    assert words in found.because
    assert (found.alert_ids != ()) is (outcome is Outcome.ALERT)
    assert found.numbers["seconds_needed"] == 2.0


def test_the_condition_of_a_rule_is_asked_of_the_stored_crops_too(tmp_path: Path) -> None:
    footage = Footage(tmp_path)
    footage.store_crops()
    asking = AskingAgain(footage.store, vlm=str(tiny_humanvlm(tmp_path / "vlm")), device="cpu")
    both = a_rule(only_if=[HATLESS], status="draft")
    trial = footage.trial(both, asking=asking)
    looks = sum(len(person.looks) for result in footage.results for person in result.people)
    assert trial.looks_asked_again == looks


@pytest.mark.parametrize(
    ("ordinal", "hats", "outcome", "words"),
    [
        (1, "BBBB", Outcome.WOULD, "a breach in 2 of 2 answered looks (100%), for 2.0 s"),
        (1, "CCCC", Outcome.NONE, "the person complied, or a condition did not hold, in 4 of 4 looks"),
        (1, "????", Outcome.NONE, "could not tell in 4 of 4 looks (no reason given)"),
        (1, "uuuu", Outcome.NONE, "not every answer was certain enough in 4 of 4 looks"),
        (1, "----", Outcome.NONE, "not all of its questions were asked in 4 of 4 looks"),
        (2, "BBBBBB", Outcome.NONE, "the person complied, or a condition did not hold, in 6 of 6 looks"),
    ],
)
def test_why_and_why_not_name_each_condition_with_what_was_answered(
    tmp_path: Path, ordinal: int, hats: str, outcome: Outcome, words: str
) -> None:
    footage = Footage(tmp_path)
    timelines = [hats if n == ordinal else "-" * len(said) for n, said in enumerate(TIMELINES[0], start=1)]
    answered = also_of_hats(footage.results[0], *timelines)
    uri = manifest_uri(answered.camera_id, answered.segment_id, answered.analysis_revision)
    path = footage.store.local_path(uri)
    assert path is not None
    path.write_text(answered.model_dump_json())
    found = footage.why(0, ordinal, a_rule("both", only_if=[HATLESS]))["both"]
    assert (found.outcome, words in found.because) == (outcome, True), found.because
    assert len(footage.trial(a_rule("both", only_if=[HATLESS])).tried[0].alerts) == (outcome is Outcome.WOULD)
    vests = "no in 4" if ordinal == 1 else "no in 0, not in 6"
    held = {"B": f"no in {len(hats)}", "C": "no in 0, not in 4", "?": "no in 0, could not tell in 4"}
    rest = held.get(hats[0], f"no in 0, {'unsure' if hats[0] == 'u' else 'not asked'} in 4")
    assert found.because.endswith(
        f"each question by itself, in {len(hats)} looks: “{VEST.text}” {vests}; “{HAT.text}” {rest}"
    )
    (condition,) = found.numbers["only_if"]
    assert (condition["text"], condition["given"], condition["certainty"]) == (HAT.text, ["no"], 0.7)
    lines = list(explanation_lines([found]))
    verdict = found.numbers["looks"][0]["only_if"][0]["verdict"]
    assert lines[2].startswith(f"        only if “{HAT.text}” no: {verdict}  "), lines[2]
    assert len(lines) == 1 + 2 * len(hats)


def test_a_moment_explains_everyone_who_was_in_view_and_nobody_is_an_error(footage: Footage) -> None:
    asked = Explaining(footage.people, footage.store, footage.desk)
    found = asked.moment("gate", NOON + timedelta(seconds=1), a_standing(a_rule()))
    assert set(found) == {person_of(footage.results[0], 1), person_of(footage.results[0], 2)}
    with pytest.raises(NotSeenError):
        asked.moment("gate", NOON - timedelta(days=1), a_standing(a_rule()))
    with pytest.raises(NotSeenError):
        asked.person("nobody", a_standing(a_rule()))
