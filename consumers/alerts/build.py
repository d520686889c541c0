"""Puts the alerter together from its settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from consumers.alerts.alerting import Alerting
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.measured import measured_models
from consumers.alerts.rules_file import RulesWatch
from consumers.alerts.standing import RulesInForce, Standing
from consumers.alerts.tending import Tending, tended
from consumers.runner import Runner
from consumers.settings import AlerterSettings, DeskSettings
from streamer.bus.client import Bus
from streamer.bus.media import MediaStore
from streamer.bus.messages import SegmentAnalyzed
from streamer.bus.topics import PEOPLE

GROUP = "alerter"
BATCH_SIZE = 16


def rules_in_force(settings: DeskSettings) -> RulesInForce:
    """The rules that the settings name, held against the model that they name."""
    models = measured_models(settings.vlm.name, settings.alerts.models)
    return RulesInForce(RulesWatch(settings.rules_path), models)


@contextmanager
def alerter(settings: AlerterSettings, bus: Bus) -> Iterator[Runner[SegmentAnalyzed]]:
    """The alerter, its desk tended as long as the block runs.

    Raises:
        DeskError: The desk database does not open, or failed meanwhile.
    """
    desk = DeskDatabase(settings.desk_url)
    rules = rules_in_force(settings)
    stage = Alerting(
        desk,
        MediaStore(settings.media_url),
        rules,
        notify_within=timedelta(seconds=settings.alerts.notify_within_s),
    )
    runner = Runner(bus, [PEOPLE], GROUP, stage, batch_size=BATCH_SIZE)
    tending = Tending(desk, rules, tell=lambda standing: _tell(bus, standing), incarnation=bus.current_incarnation)
    with tended(tending, runner.stop):
        yield runner
    desk.close()


def _tell(bus: Bus, standing: Standing) -> None:
    """Let the analyzers ask what the rules in force ask."""
    del bus, standing
