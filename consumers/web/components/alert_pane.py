"""One alert in full beside the list, and everything that can be done to it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui

from consumers.errors import DeskError, PeopleTableError
from consumers.web.alerts.acts import Acknowledge, Act, Assign, FalseAlarm, Remark, Reopen, Resolve, Snooze
from consumers.web.alerts.board import AlertBoard
from consumers.web.alerts.shapes import AlertDetailShape, AskedShape, ConditionShape
from consumers.web.components import alert_sheet
from consumers.web.components.footage_view import footage_view
from consumers.web.components.markup import together
from consumers.web.components.person_card import Now, nobody
from consumers.web.components.person_dialog import no_footage
from consumers.web.components.words import Words, icon, still
from consumers.web.desk import Desk
from consumers.web.schemas import StepShape
from model.questions import CANNOT_TELL

SNOOZES = ((15, "15 min"), (60, "1 h"), (480, "8 h"))
NUMBER_KEYS = 9
CLOSED = ("resolved", "false_alarm")
Do = Callable[[Act], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Rights:
    """What whoever looks may do with an alert."""

    name: str
    may_act: bool
    may_play: bool


class AlertPane:
    """Shows one alert, and hands what is to be done to it to `do`."""

    def __init__(
        self,
        desk: Desk,
        board: AlertBoard,
        rights: Rights,
        now: Callable[[], Now],
        do: Do,
        others: Callable[[], list[str]],
        close: Callable[[], None],
    ) -> None:
        """Show nothing yet.

        Args:
            desk: Knows the way a person took.
            board: Knows alerts.
            rights: What whoever looks may do.
            now: The moment, for times.
            do: Does something to the alert that is open.
            others: Names of whom it can be assigned to; blocks.
            close: Goes back to the list.
        """
        self.alert: AlertDetailShape | None = None
        self._desk, self._board, self._rights, self._now = desk, board, rights, now
        self._do, self._others, self._close = do, others, close
        self._wanted: str | None = None
        self._element = Words("section", "", "alert-pane", aria_label="The alert", tabindex="-1")
        self._right: RightAnswerDialog | None = None

    async def open(self, alert_id: str | None) -> None:
        """Show an alert, or nothing."""
        self._wanted = alert_id
        if alert_id is None:
            self.alert = None
            self._element.clear()
            return
        try:
            alert, path, others = await asyncio.to_thread(self._look_up, alert_id)
        except DeskError as error:
            self._say("error", "The desk cannot be read", str(error))
            return
        if self._wanted != alert_id or self._element.is_deleted:
            return
        self.alert = alert
        if alert is None:
            self._say("search_off", "There is no such alert", "It may have been removed since this address was made.")
            return
        self._fill(alert, path, others)

    async def refresh(self) -> None:
        """Show the open alert as it is now; its video goes on where only the rest has changed."""
        if self.alert is None:
            return
        alert, _, others = await asyncio.to_thread(self._look_up, self.alert.alert_id)
        if alert is None or self._element.is_deleted or alert.alert_id != self._wanted or alert == self.alert:
            return
        self.alert = alert
        self._fill_changing(alert, others)

    def empty_place(self) -> Words:
        """The pane, emptied, to say something in."""
        self._element.clear()
        return self._element

    def ask_what_is_right(self) -> None:
        """Ask which answer would have been right, then call it a false alarm."""
        if self._right is not None and self.alert is not None and self.alert.state not in CLOSED:
            self._right.open()

    def choose_right(self, place: int) -> bool:
        """Choose the answer at a place of the open question; false: nothing is being asked."""
        return self._right is not None and self._right.choose(place)

    def _look_up(self, alert_id: str) -> tuple[AlertDetailShape | None, tuple[StepShape, ...], list[str]]:
        alert = self._board.detail(alert_id)
        if alert is None:
            return None, (), []
        try:
            person = self._desk.person(alert.person_id)
        except PeopleTableError:
            person = None
        is_same_clip = person is not None and person.clip.url == alert.clip.url
        path = person.path if person is not None and is_same_clip else ()
        return alert, path, self._others() if self._rights.may_act else []

    def _say(self, drawing: str, title: str, why: str) -> None:
        self._element.clear()
        with self._element:
            nobody(drawing, title, why)

    def _fill(self, alert: AlertDetailShape, path: tuple[StepShape, ...], others: list[str]) -> None:
        self._element.clear()
        with self._element:
            with Words("div", "", "alert-head"):
                with Words("button", "", "act plain back", aria_label="Back to the list").on("click", self._close):
                    icon("arrow_back")
                self._title = Words("div", "", "still")
            self._acts = Words("div", "", "alert-acts", role="group", aria_label="What to do")
            with Words("div", "", "alert-body"):
                with Words("div", "", "stage"):
                    if self._rights.may_play:
                        footage_view(alert_sheet.walk_of(alert, path), best="The moment")
                    else:
                        still(no_footage())
                    still(alert_sheet.pictures(alert))
                with Words("div", "", "facts"):
                    still(together(alert_sheet.asked(alert), alert_sheet.why(alert, self._now())))
                    self._history = Words("div", "", "still")
                    if self._rights.may_act:
                        self._lay_out_comment()
                    self._provenance = Words("div", "", "still")
            self._right = RightAnswerDialog(alert, self._do) if self._rights.may_act and alert.question else None
        self._fill_changing(alert, others)

    def _fill_changing(self, alert: AlertDetailShape, others: list[str]) -> None:
        now = self._now()
        for place, markup in (
            (self._title, alert_sheet.alert_title(alert, now)),
            (self._history, alert_sheet.history(alert, now)),
            (self._provenance, alert_sheet.provenance(alert)),
        ):
            place.clear()
            with place:
                still(markup)
        self._acts.clear()
        self._acts.set_visibility(self._rights.may_act)
        if self._rights.may_act:
            with self._acts:
                self._lay_out_acts(alert, others)

    def _lay_out_acts(self, alert: AlertDetailShape, others: list[str]) -> None:
        if alert.state in CLOSED:
            self._button("undo", "Reopen", Reopen(), "U")
            return
        if alert.state != "acknowledged":
            self._button("visibility", "Acknowledge", Acknowledge(), "A", is_main=True)
        if alert.assignee != self._rights.name:
            self._button("person_add", "Take it", Assign(to=self._rights.name), "S")
        self._button("check_circle", "Resolve", Resolve(), "R", is_main=alert.state == "acknowledged")
        if alert.question:
            with Words("button", "", "act").on("click", self.ask_what_is_right):
                icon("block")
                Words("span", "False alarm")
                Words("kbd", "F", "keyboard-only")
        with _menu("snooze", "Snooze"):
            for minutes, words in SNOOZES:
                self._choice(words, Snooze(minutes=minutes))
        if others:
            with _menu("group", "Assign"):
                for name in others:
                    self._choice(name, Assign(to=name))
                if alert.assignee:
                    self._choice("Nobody", Assign(to=None))

    def _button(self, drawing: str, words: str, act: Act, key: str, *, is_main: bool = False) -> None:
        with Words("button", "", "act main" if is_main else "act").on("click", lambda: self._do(act)):
            icon(drawing)
            Words("span", words)
            Words("kbd", key, "keyboard-only")

    def _choice(self, words: str, act: Act) -> None:
        Words("button", words, "choice").on("click", lambda: self._do(act))

    def _lay_out_comment(self) -> None:
        with Words("div", "", "comment-line"):
            line = ui.input(placeholder="What others should know").props(
                'dense borderless maxlength=2000 aria-label="Comment"'
            )

            async def send() -> None:
                words = (line.value or "").strip()
                if words:
                    line.set_value("")
                    await self._do(Remark(comment=words))

            line.on("keydown.enter", send, args=[])
            line.on("keydown.escape", lambda: line.run_method("blur"), args=[])
            with Words("button", "", "act").on("click", send):
                icon("send")
                Words("span", "Comment")


@dataclass(frozen=True, slots=True)
class RightAnswer:
    """What should have been answered, to the rule's own question or to one of its conditions."""

    condition: ConditionShape | None
    answer: str


class RightAnswerDialog:
    """Asks which answer would have been right."""

    def __init__(self, alert: AlertDetailShape, do: Do) -> None:
        """Stay closed until asked for."""
        assert alert.question is not None
        self._do = do
        question = alert.question
        # What speaks against a breach comes first: a false alarm mostly means that.
        self._choices = [RightAnswer(None, answer) for answer in _likeliest(question)]
        for one in alert.only_if:
            self._choices += [RightAnswer(one, answer) for answer in _likeliest(one)]
        self._dialog = ui.dialog().props('aria-label="What is right?"')
        with self._dialog, Words("section", "", "sheet narrow"):
            with Words("header", "", "sheet-head"):
                Words("h2", "What is right?")
                with Words("div", "", "rest"), Words("button", "", "act plain", aria_label="Close") as shut:
                    icon("close")
                shut.on("click", self._dialog.close)
            with Words("div", "", "sheet-body"):
                Words("p", question.text)
                self._comment = ui.input(placeholder="Why, if you like").props(
                    'dense borderless maxlength=2000 aria-label="Why"'
                )
                for condition in (None, *alert.only_if):
                    if condition is not None:
                        Words("p", condition.text)
                    with Words("div", "", "right-answers"):
                        for place, right in enumerate(self._choices):
                            if right.condition == condition:
                                self._lay_out(place, right)

    def open(self) -> None:
        """Ask."""
        self._dialog.open()

    def choose(self, place: int) -> bool:
        """Take the answer at a place, if the question is open."""
        if not self._dialog.value or not 0 <= place < len(self._choices):
            return False
        ui.timer(0, lambda: self._take(self._choices[place]), once=True)
        return True

    def _lay_out(self, place: int, right: RightAnswer) -> None:
        with Words("button", "", "act").on("click", lambda: self._take(right)):
            if place < NUMBER_KEYS:
                Words("kbd", f"{place + 1}", "keyboard-only")
            Words("span", right.answer)

    async def _take(self, right: RightAnswer) -> None:
        self._dialog.close()
        comment = (self._comment.value or "").strip() or None
        question_id = right.condition.question_id if right.condition else None
        await self._do(FalseAlarm(right_answer=right.answer, question_id=question_id, comment=comment))


def _likeliest(asked: AskedShape) -> tuple[str, ...]:
    return (*asked.against, CANNOT_TELL, *(answer for answer in asked.answers if answer not in asked.against))


def _menu(drawing: str, words: str) -> Words:
    """A button that opens a list of choices, without a script of ours; use it as a context."""
    with Words("details", "", "menu") as menu:
        with Words("summary", "", "act"):
            icon(drawing)
            Words("span", words)
            icon("arrow_drop_down")
        choices = Words("div", "", "choices")
    del menu
    return choices
