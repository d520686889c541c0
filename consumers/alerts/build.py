"""Puts the alerter together from its settings."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from consumers.alerts.alerting import Alerting
from consumers.alerts.asking_again import AskingAgain
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.explaining import Explaining
from consumers.alerts.measured import MeasuredModels, measured_models, measured_served
from consumers.alerts.rules_file import RulesWatch
from consumers.alerts.standing import RulesInForce, Standing
from consumers.alerts.tending import Tending, tended
from consumers.alerts.trying import Trial, try_rules
from consumers.collecting import collecting_seldom
from consumers.indexer.people import PeopleReader
from consumers.packs.packs import read_packs
from consumers.questions import publish_questions, question_set
from consumers.runner import Runner
from consumers.served import served_model
from consumers.settings import AlerterSettings, DeskSettings
from model.questions import Question
from operations.seeing.health import Health
from streamer.bus.client import Bus
from streamer.bus.media_opening import open_media
from streamer.bus.messages import SegmentAnalyzed
from streamer.bus.topics import PEOPLE

GROUP = "alerter"
BATCH_SIZE = 16


def rules_in_force(settings: DeskSettings) -> RulesInForce:
    """The rules that the settings name, held against the model that they name."""
    return RulesInForce(RulesWatch(settings.rules_path), measured_by(settings))


def measured_by(settings: DeskSettings) -> MeasuredModels:
    """What the models that the settings name were measured on."""
    vlm, at_hand = settings.vlm, settings.alerts.models
    if vlm.server.url:
        return measured_served(vlm.server.model, vlm.server.decision_sheet, [vlm.name, *at_hand])
    return measured_models(vlm.name, at_hand)


def explaining(settings: DeskSettings) -> Explaining:
    """Whoever answers *why*, over what the settings name.

    Raises:
        PeopleTableError: The person table does not open.
        DeskError: The desk does not open.
    """
    desk = DeskDatabase(settings.desk_url)
    return Explaining(PeopleReader(settings.database_url), open_media(settings), desk)


def tried_on_footage(
    settings: DeskSettings,
    tried: Standing,
    in_force: Standing,
    *,
    since: datetime,
    until: datetime,
    cameras: Sequence[str] = (),
    on_progress: Callable[[int, int], None] = lambda *_: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Trial:
    """`try_rules` over what the settings name; blocks for as long as that takes.

    Raises:
        One of what `try_rules` raises, or PeopleTableError: the person table does not open, or SettingsError: the
            file with the model server's key cannot be read.
    """
    people, store = PeopleReader(settings.database_url), open_media(settings)
    vlm = settings.vlm
    asking = AskingAgain(store, vlm=vlm.name, device=vlm.device, served=served_model(vlm), is_stopping=is_stopping)
    try:
        return try_rules(
            tried,
            in_force,
            people=people,
            store=store,
            asking=asking,
            since=since,
            until=until,
            cameras=cameras,
            on_progress=on_progress,
            is_stopping=is_stopping,
        )
    finally:
        people.close()


@contextmanager
def alerter(settings: AlerterSettings, bus: Bus, health: Health | None = None) -> Iterator[Runner[SegmentAnalyzed]]:
    """The alerter, its desk tended as long as the block runs.

    Raises:
        RulesError: The rules file is refused: nothing was in force before that could stay so, and footage that is
            counted without rules is never counted with them.
        PackError: A question pack cannot be read.
        DeskError: The desk database does not open, or failed meanwhile.
    """
    rules = rules_in_force(settings)
    if (refusal := rules.look().refusal) is not None:
        raise refusal
    desk = DeskDatabase(settings.desk_url)
    if health is not None:
        health.has("database")
    of_packs = [question.asked for pack in read_packs(settings.questions.packs) for question in pack.questions]
    stage = Alerting(
        desk,
        open_media(settings),
        rules,
        notify_within=timedelta(seconds=settings.alerts.notify_within_s),
    )
    runner = Runner(bus, [PEOPLE], GROUP, stage, batch_size=BATCH_SIZE, leg="alert", health=health)
    tending = Tending(
        desk, rules, tell=lambda standing: _tell(bus, standing, of_packs), incarnation=bus.current_incarnation
    )
    with collecting_seldom(), tended(tending, runner.stop):
        yield runner
    desk.close()


def _tell(bus: Bus, standing: Standing, of_packs: Sequence[Question]) -> None:
    """Let the analyzers ask what the rules in force and the chosen packs ask."""
    publish_questions(bus, question_set([*standing.questions, *of_packs]))
