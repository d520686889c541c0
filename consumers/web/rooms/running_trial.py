"""A trial of rules on stored footage, as it runs and when it is through, in *Rules*."""

import asyncio
import threading
from datetime import timedelta

from nicegui import background_tasks, ui

from consumers.alerts.standing import Standing
from consumers.errors import ConsumerError
from consumers.web.components.markup import Markup, icon, tag
from consumers.web.components.trial_result import trial_result
from consumers.web.components.words import Words, button, still
from consumers.web.rooms.room import Surroundings
from consumers.web.rules.rules_desk import Stretch
from consumers.web.wording import count
from model.errors import ModelError
from streamer.bus.errors import MediaStoreError

PROGRESS_EVERY_S = 0.4


class RunningTrial:
    """One browser's trial; one at a time."""

    def __init__(self, around: Surroundings) -> None:
        """Nothing is tried yet; what will be is shown here."""
        self._around, self._rules = around, around.services.rules
        self._stop: threading.Event | None = None
        self._trial = Words("div")

    @property
    def is_running(self) -> bool:
        """Whether one runs."""
        return self._stop is not None

    def stop(self) -> None:
        """Stop the one that runs; what it has found so far is shown."""
        if self._stop is not None:
            self._stop.set()

    def begin(self, tried: Standing, span: timedelta) -> None:
        """Try rules on the footage of the last `span`."""
        background_tasks.create(self._run(tried, span), context=self._trial)

    async def _run(self, tried: Standing, span: timedelta) -> None:
        now = self._around.look.now()
        stop, done = threading.Event(), [0, 0]
        self._stop = stop

        def progress(through: int, of: int) -> None:
            done[:] = through, of

        bar, words = self._lay_out_progress(stop)

        def show() -> None:
            through, of = done
            bar.set_value(through / of if of else 0)
            words.set_text(f"{through} of {count(of, 'clip')}" if of else "Looking for footage")

        timer = ui.timer(PROGRESS_EVERY_S, show)
        stretch = Stretch(now.instant - span, now.instant)
        try:
            trial = await asyncio.to_thread(self._rules.try_on, tried, stretch, progress, stop.is_set)
        except (ConsumerError, MediaStoreError, ModelError) as error:
            self._say(tag("p", icon("error"), tag("span", str(error)), class_="note warn"))
        else:
            self._say(trial_result(trial, self._around.look.now()))
        finally:
            timer.cancel()
            self._stop = None

    def _lay_out_progress(self, stop: threading.Event) -> tuple[ui.linear_progress, Words]:
        self._trial.clear()
        with self._trial, Words("div", "", "line"):
            bar = ui.linear_progress(0, show_value=False).classes("progress").props('aria-label="How far the trial is"')
            words = Words("span", "Looking for footage", "sum", role="status")
            button("stop", "Stop", stop.set)
        self._trial.run_method("scrollIntoView")
        return bar, words

    def _say(self, markup: Markup) -> None:
        if not self._trial.is_deleted:
            self._trial.clear()
            with self._trial:
                still(markup)
