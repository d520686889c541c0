"""What the rules make of somebody, and what an officer knows better: under a person in full."""

import asyncio
from collections.abc import Sequence

from nicegui import ui

from consumers.access.roles import ACT
from consumers.alerts.explaining import Explanation, Outcome
from consumers.errors import ConsumerError
from consumers.web.address import ALERT, ALERTS, Address
from consumers.web.components.alert_words import why_met
from consumers.web.components.markup import Markup, icon, tag
from consumers.web.components.words import Words, still
from consumers.web.components.words import icon as drawing
from consumers.web.rooms.room import Surroundings
from consumers.web.schemas import AnswerShape, PersonDetailShape
from streamer.bus.errors import MediaStoreError

OUTCOMES = {
    Outcome.ALERT: ("no", "notifications_active"),
    Outcome.WOULD: ("no", "notifications_none"),
    Outcome.NONE: ("yes", "check"),
    Outcome.NOT_WATCHED: ("unsure", "visibility_off"),
}


class PersonRules:
    """A button for every rule's verdict, and, for officers, one to correct an answer."""

    def __init__(self, person: PersonDetailShape, around: Surroundings) -> None:
        """Stand under `person`."""
        self._person, self._around = person, around
        with Words("div", "", "line"):
            with Words("button", "", "act").on("click", self._ask_why):
                drawing("rule")
                Words("span", "What the rules say")
            if around.identity.may(ACT) and person.answers:
                self._offer_corrections()
        self._told = Words("div", "", "verdicts", role="status")

    async def _ask_why(self) -> None:
        try:
            verdicts = await asyncio.to_thread(self._around.services.rules.why, self._person.person_id)
        except (ConsumerError, MediaStoreError) as error:
            ui.notify(str(error), type="negative", timeout=8000)
            return
        if not self._told.is_deleted:
            self._told.clear()
            with self._told:
                still(verdict_list(verdicts))

    def _offer_corrections(self) -> None:
        with Words("details", "", "menu"):
            with Words("summary", "", "act"):
                drawing("edit")
                Words("span", "Correct an answer")
                drawing("arrow_drop_down")
            with Words("div", "", "choices"):
                for answer in self._person.answers:
                    for right in answer.probabilities:
                        if right != answer.answer:
                            self._offer(answer, right)

    def _offer(self, answer: AnswerShape, right: str) -> None:
        async def correct() -> None:
            services = self._around.services
            try:
                who = await self._around.permitted(ACT)
                person, question = await asyncio.to_thread(
                    services.desk.asked, self._person.person_id, answer.question_id
                )
                await asyncio.to_thread(services.acts.correct, person, question, right, who)
            except ConsumerError as error:
                ui.notify(str(error), type="negative", timeout=8000)
                return
            ui.notify(f"Noted: {answer.label} is “{right}”. The model can learn from it.", type="positive")

        Words("button", f"{answer.label}: {right}", "choice").on("click", correct)


def verdict_list(verdicts: Sequence[Explanation]) -> Markup:
    """Every rule's verdict in a sentence, with the numbers behind it."""
    if not verdicts:
        return tag("p", "There are no rules yet.", class_="sum")
    return tag("ul", *map(_verdict, verdicts), class_="questions")


def _verdict(verdict: Explanation) -> Markup:
    style, name = OUTCOMES.get(verdict.outcome, ("unsure", "question_mark"))
    links = (
        tag("a", "the alert", href=str(Address(ALERTS, {ALERT: alert_id, "state": "all"})), class_="inline-link")
        for alert_id in verdict.alert_ids
    )
    return tag(
        "li",
        tag("span", tag("b", verdict.title), f" ({verdict.status})"),
        tag("span", icon(name), tag("span", verdict.outcome.value), class_=f"verdict {style}"),
        tag("span", f"{verdict.because} ", *links, class_="because", title=why_met(verdict.numbers) or None),
        class_="question",
    )
