"""A saved search on guard, from the HTTP API through the rules file and the alerter on its topic to the alert."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from consumers.alerts import build
from consumers.alerts.desk_database import DeskDatabase
from consumers.indexer.people import Links, PeopleTable
from consumers.settings import AlerterSettings, Alerts
from streamer.bus.client import Bus
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from streamer.bus.settings import State
from streamer.bus.topics import PEOPLE, QUESTIONS
from tests.builders_alerts import api_over
from tests.builders_bus import wait_until
from tests.builders_consumers import arriving, running
from tests.builders_rules import HAT, VEST, a_result, also_of_hats, person_of, stored
from tests.builders_web import CaptionSearch

MakeBus = Callable[[], Bus]
NEITHER, NO_VEST, NO_HAT, HIDDEN = 1, 2, 3, 4  # the people of each segment


def segment(number: int) -> Manifest:
    """Somebody with neither vest nor hat, two with one of them, and one whose head nobody sees."""
    result = a_result(f"s{number}", "BBBB", "BBBB", "CCCC", "BBBB", number=6 * number)
    return also_of_hats(result, "BBBB", "CCCC", "BBBB", "????")


class Guarded:
    """The page's API over a desk, and the alerter's settings for the same desk and rules file."""

    def __init__(self, folder: Path) -> None:
        state = State(folder=folder / "state")
        state.folder.mkdir()
        self.settings = AlerterSettings(state=state, alerts=Alerts(notify_within_s=1e12))
        self.store = MediaStore(self.settings.media_url)
        self.people = PeopleTable(self.settings.database_url)
        self.desk = DeskDatabase(self.settings.desk_url)
        self.api = api_over(CaptionSearch(self.people), self.people, self.store, self.desk, state.folder)
        self.client = TestClient(self.api)

    def announce(self, bus: Bus, result: Manifest) -> None:
        """What analyzer and indexer do of a segment."""
        message = stored(self.store, result)
        embeddings = {one.person_id: base64.b64decode(one.embedding_base64) for one in result.people}
        self.people.record(result, message.manifest_uri, Links({}, {}), embeddings)
        publisher = bus.publisher()
        publisher.publish(PEOPLE, message, partition=0)
        publisher.flush()
        publisher.close()

    def guard(self, **search: object) -> dict[str, object]:
        saved = self.client.post("/api/v1/searches", json={"name": "Neither vest nor hat", "search": search})
        assert saved.status_code == 201, saved.text
        answer = self.client.put(f"/api/v1/searches/{saved.json()['id']}/guard", json={})
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["guard"])

    def alerts(self) -> list[dict[str, object]]:
        return list(self.client.get("/api/v1/alerts").json()["alerts"])

    def close(self) -> None:
        self.api.state.access.close()
        self.desk.close()
        self.people.close()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    made = Guarded(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    "search",
    [
        {
            "filter": {
                "answers": [{"question": "safety vest", "answer": "no"}, {"question": "hard hat", "answer": "no"}]
            }
        },
        {"words": "without a safety vest and without a hard hat"},
        {"words": "no hard hat", "filter": {"answers": [{"question": "safety vest", "answer": "no"}]}},
    ],
)
def test_a_search_for_two_answers_raises_an_info_alert_where_both_hold_and_none_where_one_does(
    make_bus: MakeBus, guarded: Guarded, search: dict[str, object]
) -> None:
    bus = make_bus()
    bus.ensure_topics()
    guarded.announce(bus, segment(0))  # before anybody stood guard: it makes the questions known
    assert guarded.guard(**search) == {"rule_id": "search-1", "status": "in force", "why_draft": None}
    later = segment(1)
    guarded.announce(bus, later)
    with build.alerter(guarded.settings, bus) as runner, running(runner):
        wait_until(lambda: len(guarded.alerts()) == 2)
        (told,) = arriving(make_bus(), QUESTIONS, 1)
    assert {one.question_id for one in told.message.questions} == {VEST.question_id, HAT.question_id}
    newest = guarded.alerts()[0]
    assert (newest["rule_id"], newest["severity"], newest["title"]) == ("search-1", "info", "Neither vest nor hat")
    assert {one["person_id"] for one in guarded.alerts()} == {person_of(segment(0), NEITHER), person_of(later, NEITHER)}

    alert = guarded.client.get(f"/api/v1/alerts/{newest['alert_id']}").json()
    asked = [alert["question"]["text"], *(one["text"] for one in alert["only_if"])]
    assert sorted(asked) == sorted([VEST.text, HAT.text])
    assert [answer["answer"] for answer in alert["answers"]] == ["no", "no"]
    looks = alert["numbers"]["looks"]
    assert [look["only_if"][0]["verdict"] for look in looks] == ["holds"] * len(looks)
    assert {look["verdict"] for look in looks} == {"breach"}

    for person, outcome, why in (
        (NEITHER, "alert", "for 2.0 s"),
        (NO_VEST, "no alert", "a condition did not hold, in 4 of 4 looks"),
        (NO_HAT, "no alert", "a condition did not hold, in 4 of 4 looks"),
        (HIDDEN, "no alert", "could not tell in 4 of 4 looks"),
    ):
        (verdict,) = guarded.client.get(f"/api/v1/people/{person_of(later, person)}/verdicts").json()
        assert (verdict["outcome"], why in verdict["because"]) == (outcome, True), verdict["because"]
        assert f"“{HAT.text}” no in {0 if person in (NO_VEST, HIDDEN) else 4}" in verdict["because"]
        assert len(verdict["numbers"]["only_if"]) == 1
