"""The alerter's stage over a real desk and a real media store: one transaction a batch, nothing lost, nothing twice."""

import json
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from consumers.alerts.desk_database import locked
from consumers.alerts.entering import Additions, write
from consumers.alerts.rules_file import RulesWatch
from consumers.alerts.schema import HistoryRecord, OutboxRecord, RuleStateRecord, SeenSegmentRecord
from consumers.alerts.standing import RulesInForce
from consumers.alerts.tending import Tending, tended
from consumers.errors import DeskError
from consumers.web.alerts.acts import Acknowledge, Snooze, perform
from streamer.bus.client import Unreadable
from streamer.bus.consumer import typed
from streamer.bus.topics import PEOPLE
from tests.builders_alerter import PLACE, RULE, AlerterDesk, deliver, fail_at_statement, work
from tests.builders_rules import MEASURED, NOON, a_result, alerts_on, person_of, received, stored


@pytest.fixture
def installed(tmp_path: Path) -> AlerterDesk:
    return AlerterDesk(tmp_path)


def test_footage_in_alert_out_with_history_and_what_is_owed(installed: AlerterDesk) -> None:
    (message,) = installed.messages(("CCCCCCCC", "BBBB"))
    assert work(installed.stage(), message) == []
    (alert,) = alerts_on(installed.desk)
    assert (alert.rule_id, alert.camera_id, alert.severity, alert.state) == ("vest", "gate", "medium", "open")
    assert alert.person_id == person_of(a_result("gate0", "C", "C"), 2)
    assert alert.met_at == NOON + timedelta(seconds=2)
    assert alert.escalate_at == installed.now + timedelta(seconds=60)
    assert [line.action for line in installed.desk.history(alert.alert_id)] == ["raised"]
    with installed.desk.reading() as session:
        assert set(session.scalars(select(OutboxRecord.channel))) == {"mail", "hall"}
        assert installed.stage().first_offset(PLACE, "i1") == 1
        assert installed.stage().first_offset(PLACE, "another") == 0


def test_a_replay_raises_nothing_twice_whatever_the_topic_is_called(installed: AlerterDesk) -> None:
    messages = installed.messages(("BBBBBBBBBB",), ("BBBBBBBBBB",), ("CCCCCCCCCC",), ("BBBB",))
    stage = installed.stage()
    work(stage, *messages)
    before = installed.alert_ids()
    work(stage, *messages)
    work(installed.stage(), *(received(m.message, m.offset + 7, incarnation="i2") for m in messages))
    assert installed.alert_ids() == before
    assert len(before) == 1


def test_a_person_is_followed_over_restarts_and_from_one_alerter_to_another(installed: AlerterDesk) -> None:
    first, second, third = installed.messages(("CCCCCCCCCB",), ("BCCCCCCCCC",), ("CCCCCCCCCB",))
    one, other = installed.stage(), installed.stage()
    work(one, first)
    work(other, second)  # the partition has moved
    work(one, third)  # and came back: what `one` remembers is stale
    (alert,) = alerts_on(installed.desk)
    assert alert.met_at == NOON + timedelta(seconds=11)
    with installed.desk.reading() as session:
        assert session.scalar(select(func.count()).select_from(RuleStateRecord)) == 1


def test_a_segment_between_two_that_came_before_it_makes_one_person_of_two(installed: AlerterDesk) -> None:
    messages = installed.messages(("BBBBBBBBBB",), ("BBBBBBBBBB",), ("BBBBBBBBBB",))
    stage = installed.stage()
    for number in (0, 2):
        work(stage, messages[number])
    assert len({alert.chain_id for alert in alerts_on(installed.desk)}) == 2
    work(stage, messages[1])
    assert len({alert.chain_id for alert in alerts_on(installed.desk)}) == 1
    assert len(installed.alert_ids()) == 2


def test_old_footage_is_recorded_and_nobody_is_told(tmp_path: Path) -> None:
    installed = AlerterDesk(tmp_path, now=NOON + timedelta(minutes=16))
    work(installed.stage(), *installed.messages(("BBBB",)))
    (alert,) = alerts_on(installed.desk)
    assert (alert.is_sent, alert.escalate_at) == (False, None)
    assert "older than 900 s" in str(alert.unsent_reason)
    with installed.desk.reading() as session:
        assert session.scalar(select(func.count()).select_from(OutboxRecord)) == 0


def test_a_crash_anywhere_in_ten_batches_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    timelines = [("BBBBBBBBBB", "CCCCCCCCCB"), ("CCCCCCCCCC", "BCCCCCCCCC"), ("BBBBBBBBBB", "CCCCCCCCCC")] * 4
    calm, shaken = AlerterDesk(tmp_path / "calm"), AlerterDesk(tmp_path / "shaken")
    work(calm.stage(), *calm.messages(*timelines))
    expected = calm.alert_ids()
    assert len(expected) >= 2
    messages = shaken.messages(*timelines)
    for crash_at in range(10):
        fail_at_statement(shaken.desk, crash_at + 1)
        with pytest.raises(DeskError):
            deliver(shaken, messages)
    deliver(shaken, messages)
    assert sorted(shaken.alert_ids()) == sorted(expected)
    with shaken.desk.reading() as session:
        assert session.scalar(select(func.count()).select_from(HistoryRecord)) == len(expected)
        assert session.scalar(select(func.count()).select_from(OutboxRecord)) == 2 * len(expected)


def test_what_names_no_manifest_is_a_dead_letter_and_the_offset_waits_for_it(
    installed: AlerterDesk,
) -> None:
    good = installed.messages(("BBBB",), ("BBBB",))
    gone = received(
        good[0].message.model_copy(update={"segment_id": "x", "manifest_uri": "media:///results/g/x.json"}), 1
    )
    stage = installed.stage()
    (letter,) = work(stage, good[0], gone, received(good[1].message, 2))
    assert "not in the media store" in letter.message.reason
    assert stage.first_offset(PLACE, "i1") == 1
    stage.committed({PLACE: 3}, "i1")
    assert stage.first_offset(PLACE, "i1") == 3


ODD_NUMBERS = [-1, 0, 1, True, 2**63, 10**40, -0.0, 5e-324, 1e300, float("inf"), float("-inf"), float("nan")]
ODD_WORDS = ["", "\0", "\ud800", "a" * 70, "a" * 100_000, "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]
ODD = st.sampled_from([None, *ODD_NUMBERS, *ODD_WORDS, [], {}, [0] * 4, {"yes": float("nan")}, {"": {"": 1}}])


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_manifest_brings_the_alerter_down(installed: AlerterDesk, data: st.DataObject) -> None:
    result = a_result(f"odd{data.draw(st.integers(0, 10**9))}", "BC?B", "B", previous="gate0")
    content = result.model_dump(mode="json")
    node: dict[str, object] | list[object] = content
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        inner = node[key]  # type: ignore[call-overload, index]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 3)) == 0:
            node[key] = data.draw(ODD)  # type: ignore[call-overload, index]
            break
        node = inner
    message = stored(installed.store, result)
    installed.store.write(message.manifest_uri, json.dumps(content).encode())
    for publication in work(installed.stage(), received(message, 0)):
        assert "\n" not in publication.message.reason


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_message_brings_the_alerter_down_and_a_good_one_beside_it_is_decided(
    installed: AlerterDesk, data: st.DataObject
) -> None:
    name = f"m{data.draw(st.integers(0, 10**9))}"
    stated = json.loads(stored(installed.store, a_result(name, "BC?B")).model_dump_json())
    kind = data.draw(st.sampled_from(["field", "field", "without", "cut", "bytes"]))
    field = data.draw(st.sampled_from(sorted(stated)))
    if kind == "field":
        stated[field] = data.draw(ODD)
    elif kind == "without":
        del stated[field]
    payload = json.dumps(stated).encode()
    if kind == "cut":
        payload = payload[: data.draw(st.integers(0, len(payload) - 1))]
    elif kind == "bytes":
        payload = data.draw(st.binary(max_size=200))
    arrived = typed(PEOPLE, SimpleNamespace(value=payload, partition=0, offset=0, timestamp=0, headers=[]), "i1")
    if isinstance(arrived, Unreadable):
        assert "\n" not in arrived.rejected().reason
        return
    good = received(stored(installed.store, a_result(f"good-{name}", "CCCC")), 1)
    published = installed.stage().work([arrived, good], lambda: False)
    assert published[1] == ()
    for publication in published[0]:
        assert "\n" not in publication.message.reason
    with installed.desk.reading() as session:
        decided = set(session.scalars(select(SeenSegmentRecord.segment_id)))
    assert f"good-{name}" in decided
    assert bool(published[0]) != (arrived.message.segment_id in decided)


def test_an_alert_nobody_acknowledges_is_escalated_once_and_a_snoozed_one_wakes(installed: AlerterDesk) -> None:
    work(installed.stage(), *installed.messages(("BBBB", "BBBB")))
    told = []
    tending = Tending(
        installed.desk, installed.rules, tell=told.append, incarnation=lambda: "i1", now=lambda: installed.now
    )
    snoozed_id, open_id = installed.alert_ids()
    with installed.desk.writing() as session:
        alert = locked(session, snoozed_id)
        assert alert is not None
        alert.state, alert.snoozed_until, alert.escalate_at = "snoozed", installed.now + timedelta(seconds=30), None
    tending.step()
    assert told == [installed.rules.look()]
    installed.now += timedelta(seconds=61)
    tending.step()
    tending.step()
    assert [line.action for line in installed.desk.history(open_id)] == ["raised", "escalated"]
    assert [line.action for line in installed.desk.history(snoozed_id)] == ["raised", "woke"]
    assert installed.escalated_to() == ["boss"]
    assert told == [installed.rules.look()], "told once, as nothing has changed"


def test_while_an_edit_is_refused_an_escalation_of_a_rule_that_is_not_known_stays_owed(
    installed: AlerterDesk, tmp_path: Path
) -> None:
    work(installed.stage(), *installed.messages(("BBBB",)))
    file = tmp_path / "rules.yaml"
    written = json.dumps({"rules": [RULE.model_dump(mode="json")]})
    file.write_text(written.replace("title", "titel"))
    rules = RulesInForce(RulesWatch(file), MEASURED)
    tending = Tending(installed.desk, rules, tell=lambda _: None, incarnation=lambda: "i1", now=lambda: installed.now)
    installed.now += timedelta(seconds=61)
    tending.step()
    assert installed.escalated_to() == []
    file.write_text(written)
    tending.step()
    assert installed.escalated_to() == ["boss"]


def test_what_was_acknowledged_before_it_was_snoozed_is_not_escalated_when_it_wakes(installed: AlerterDesk) -> None:
    work(installed.stage(), *installed.messages(("BBBB",)))
    (alert_id,) = installed.alert_ids()
    tending = Tending(
        installed.desk, installed.rules, tell=lambda _: None, incarnation=lambda: "i1", now=lambda: installed.now
    )
    with installed.desk.writing() as session:
        alert = locked(session, alert_id)
        assert alert is not None
        perform(alert, Acknowledge(), installed.now)
        perform(alert, Snooze(minutes=5), installed.now)
    installed.now += timedelta(minutes=6)
    tending.step()
    assert [line.action for line in installed.desk.history(alert_id)] == ["raised", "woke"]
    assert installed.escalated_to() == []


def test_whatever_breaks_the_tending_ends_the_alerter_too(installed: AlerterDesk) -> None:
    def broken() -> str:
        raise ZeroDivisionError("nobody foresaw this")

    tending = Tending(installed.desk, installed.rules, tell=lambda _: None, incarnation=broken)
    stopped = threading.Event()
    with pytest.raises(ZeroDivisionError, match="foresaw"), tended(tending, stopped.set):
        assert stopped.wait(10)


def test_nothing_is_written_for_a_batch_of_nothing(installed: AlerterDesk) -> None:
    with installed.desk.writing() as session:
        assert write(session, Additions(), now=NOON, notify_within=timedelta(minutes=15)) == []
