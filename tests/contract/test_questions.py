"""Questions on their way from the rules to a running analyzer: last wins, nothing is restarted, nothing asked twice."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from consumers.alerts import build
from consumers.analyzer.eyes import Eyes
from consumers.analyzer.manifests import SegmentAnalysis, read_manifest
from consumers.packs.packs import read_pack
from consumers.questions import QuestionsInForce, publish_questions, question_set, questions_of
from consumers.runner import Runner
from consumers.settings import AlerterSettings, Asking
from model.questions import NOT_TRAINED, Question
from streamer.bus.broker import EmbeddedBroker
from streamer.bus.client import Bus, Received, Unreadable
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore
from streamer.bus.messages import QuestionSet, SegmentReady
from streamer.bus.settings import State
from streamer.bus.topics import PEOPLE, QUESTIONS, SEGMENTS
from tests.builders_bus import drain, embedded_broker, kill, wait_until
from tests.builders_consumers import a_segment, people_video, running
from tests.builders_model import tiny_humanvlm
from tests.contract.conftest import MakeBus

HARNESS = Question("predicate", "Is this person wearing a harness?")
GLOVES = Question("choice", "Which gloves does this person wear?", ("leather", "rubber", "none"))


def test_the_topic_has_one_partition_whatever_the_others_have(make_bus: MakeBus) -> None:
    bus = make_bus()
    bus.ensure_topics()
    name = bus.prefixed(QUESTIONS)
    admin = KafkaAdminClient(bootstrap_servers=bus.bootstrap_servers)
    try:
        (topic,) = admin.describe_topics([name])
    finally:
        admin.close()
    assert len(topic["partitions"]) == 1


def test_whoever_comes_later_reads_everything_and_then_only_what_is_new(make_bus: MakeBus) -> None:
    bus = make_bus()
    incarnation = bus.ensure_topics()
    reader = bus.latest(QUESTIONS)
    assert reader.arrived(incarnation) == []
    publish_questions(bus, question_set([HARNESS]))
    publish_questions(bus, question_set([HARNESS, GLOVES]))
    late = bus.latest(QUESTIONS)
    assert [sizes(one) for one in late.arrived(incarnation)][-1] == 2
    assert late.arrived(incarnation) == []
    seen: list[int] = []
    wait_until(lambda: len(seen.__iadd__(map(sizes, reader.arrived(incarnation)))) >= 2)
    assert seen == [1, 2]
    reader.close()
    late.close()


def sizes(arrived: Received[object] | Unreadable) -> int:
    assert isinstance(arrived, Received)
    return len(arrived.message.questions)  # type: ignore[attr-defined]


def test_a_set_that_cannot_be_asked_becomes_a_dead_letter_and_the_one_before_stays(make_bus: MakeBus) -> None:
    bus = make_bus()
    incarnation = bus.ensure_topics()
    publish_questions(bus, question_set([HARNESS]))
    renamed = json.loads(QUESTIONS.encode(question_set([GLOVES])))
    renamed["questions"][0]["question_id"] = "somebody-else"
    producer = KafkaProducer(bootstrap_servers=bus.bootstrap_servers)
    for payload in (b"\xff no JSON", json.dumps(renamed).encode()):
        producer.send(bus.prefixed(QUESTIONS), value=payload, key=QUESTIONS.key, partition=0)
    producer.close()
    in_force = QuestionsInForce(bus.latest(QUESTIONS))
    unread, unaskable = in_force.look(incarnation)
    assert in_force.questions == (HARNESS,)
    assert unread.reason == "Invalid JSON: expected value at line 1 column 1"
    assert "somebody-else" in unaskable.reason
    assert (unaskable.source_topic, unaskable.offset) == ("questions", 2)


def test_a_broker_that_lost_its_memory_leaves_questions_in_force_until_others_come(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    bus = Bus(broker.address, partitions=1)
    publish_questions_after_ensuring(bus, GLOVES)
    in_force = QuestionsInForce(bus.latest(QUESTIONS), look_every_s=0)
    in_force.look(bus.incarnation())
    assert in_force.questions == (GLOVES,)
    kill(broker)
    with embedded_broker(tmp_path, broker.address):
        incarnation = bus.ensure_topics()
        in_force.look(incarnation)
        assert in_force.questions == (GLOVES,)
        publish_questions(bus, question_set([HARNESS]))
        wait_until(lambda: in_force.look(incarnation) == [] and in_force.questions == (HARNESS,))
    bus.close()


def publish_questions_after_ensuring(bus: Bus, *questions: Question) -> None:
    bus.ensure_topics()
    publish_questions(bus, question_set(questions))


class Analyzer:
    """A running analyzer: the real runner, stage, detector and (tiny) HumanVLM, over a real broker."""

    def __init__(self, bus: Bus, eyes: Eyes, store: MediaStore) -> None:
        self.bus, self.eyes, self.store = bus, eyes, store
        stage = SegmentAnalysis(eyes, store, QuestionsInForce(bus.latest(QUESTIONS), look_every_s=0))
        self.runner: Runner[SegmentReady] = Runner(bus, [SEGMENTS], "analyzer", stage, batch_size=1)
        self._publisher, self._results = bus.publisher(), bus.consumer([PEOPLE], "reader")

    def analyse(self, ready: SegmentReady) -> Manifest:
        self._publisher.publish(SEGMENTS, ready, partition=0)
        self._publisher.flush()
        (arrived,) = drain(self._results, 1, within_s=60)
        assert isinstance(arrived, Received)
        assert arrived.message.segment_id == ready.segment_id
        return read_manifest(self.store, arrived.message.manifest_uri)

    def close(self) -> None:
        self._publisher.close()
        self._results.close()


@pytest.fixture
def analyzer(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Analyzer]:
    eyes = Eyes.open(cache_dir=tmp_path / "cache", vlm=str(tiny_humanvlm(tmp_path / "vlm")))
    store = MediaStore(str(tmp_path / "media"))
    footage = people_video(tmp_path / "v.mp4", frame_count=1).read_bytes()
    for name in ("s1", "s2", "s3"):
        store.write(a_segment(name).uri, footage)
    bus = Bus(broker.address, partitions=1)
    made = Analyzer(bus, eyes, store)
    with running(made.runner):
        yield made
    made.close()
    bus.close()


def test_a_running_analyzer_asks_a_new_question_from_the_next_segment_on(analyzer: Analyzer) -> None:
    before = analyzer.analyse(a_segment("s1"))
    assert [asked.text for asked in before.questions] == [q.text for q in analyzer.eyes.questions]
    publish_questions(analyzer.bus, question_set([HARNESS, analyzer.eyes.questions[0]]))
    after = analyzer.analyse(a_segment("s2"))
    assert [asked.text for asked in after.questions] == [*(q.text for q in analyzer.eyes.questions), HARNESS.text]
    assert after.question_set_revision != before.question_set_revision
    assert after.analysis_revision != before.analysis_revision
    assert {person.reasons[HARNESS.question_id] for person in after.people} == {NOT_TRAINED}
    assert analyzer.analyse(a_segment("s1")) == before, "told again as it was, and not asked anew"
    publish_questions(analyzer.bus, question_set([]))
    assert analyzer.analyse(a_segment("s3")).analysis_revision == before.analysis_revision
    results = analyzer.store.list("media:///results/gate")
    assert len(results) == 3, f"one result a segment: {results}"


def test_the_questions_of_a_chosen_pack_are_asked_without_any_rule(make_bus: MakeBus, tmp_path: Path) -> None:
    bus = make_bus()
    incarnation = bus.ensure_topics()
    settings = AlerterSettings(state=State(folder=tmp_path), questions=Asking(packs=("retail",)))
    reader = bus.latest(QUESTIONS)
    arrived: list[Received[QuestionSet] | Unreadable] = []
    with build.alerter(settings, bus):
        wait_until(lambda: len(arrived.__iadd__(reader.arrived(incarnation))) > 0)
    reader.close()
    (received,) = arrived
    assert isinstance(received, Received)
    asked = {question.asked for question in read_pack("retail").questions}
    assert set(questions_of(received.message)) == asked
