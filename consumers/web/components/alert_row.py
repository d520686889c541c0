"""One alert in the list."""

from collections.abc import Callable

from nicegui import ui

from consumers.web.alerts.shapes import AlertShape
from consumers.web.components.alert_words import severity_mark, state_mark
from consumers.web.components.markup import Markup, tag, together
from consumers.web.components.person_card import Now, crop_image, time_and_age
from consumers.web.components.words import Words, still

CROP_HEIGHT_PX = 160


class AlertRow:
    """An alert in the list: a link to it, and a box to mark it."""

    def __init__(
        self, alert: AlertShape, address: str, now: Now, on_mark: Callable[[str, bool], None] | None, *, is_marked: bool
    ) -> None:
        """Show `alert`; without `on_mark` there is no box."""
        self.alert = alert
        self._is_chosen = False
        self.element = Words("div", "", _classes(alert))
        with self.element:
            if on_mark is not None:
                self._box = ui.checkbox(value=is_marked, on_change=lambda event: on_mark(alert.alert_id, event.value))
                self._box.props(f'dense aria-label="Mark {alert.title}, {alert.camera_id}"').classes("mark")
            with Words("a", "", "alert-link", href=address) as self.link:
                self._body = still(row_body(alert, now))

    def show(self, alert: AlertShape, now: Now) -> None:
        """Show the alert as it is now; the row itself stays, and with it the browser's focus."""
        self.alert = alert
        self.element.classes(replace=f"{_classes(alert)} chosen" if self._is_chosen else _classes(alert))
        self._body.set_content(row_body(alert, now))

    def choose(self, *, is_chosen: bool) -> None:
        """Show, or no longer show, that this is the one that is open."""
        self._is_chosen = is_chosen
        if is_chosen:
            self.element.classes(add="chosen")
            self.link.attributes(aria_current="true")
        else:
            self.element.classes(remove="chosen")
            self.link.props.pop("aria-current", None)
        self.link.update()

    def mark(self, *, is_marked: bool) -> None:
        """Set the box."""
        if hasattr(self, "_box"):
            self._box.set_value(is_marked)


def _classes(alert: AlertShape) -> str:
    return f"alert {alert.severity} is-{alert.state}"


def row_body(alert: AlertShape, now: Now) -> Markup:
    """All of a row that does not change."""
    return together(
        tag("div", crop_image(alert.crop, CROP_HEIGHT_PX), class_="crop"),
        tag(
            "div",
            severity_mark(alert.severity),
            tag("p", alert.title, class_="title"),
            state_mark(alert),
            tag("span", alert.camera_id, class_="camera"),
            tag("span", time_and_age(alert.met_at, now), class_="at"),
            class_="body",
        ),
    )
