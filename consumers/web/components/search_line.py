"""The line that a search is written in, and the way to bring a picture."""

from collections.abc import Awaitable, Callable

from nicegui import events, ui

from consumers.search.pictures import MOST_BYTES
from consumers.web.components.words import Words, icon


class SearchLine:
    """One line to type in; `on_words` gets what was written, `on_picture` what was uploaded."""

    def __init__(self, on_words: Callable[[str], None], on_picture: Callable[[bytes], Awaitable[None]]) -> None:
        """Stand here."""
        self._on_words, self._on_picture = on_words, on_picture
        with Words("div", "", "ask-line", role="search"):
            icon("search")
            self._line = ui.input(placeholder="Worker in an orange vest")
            self._line.props('borderless dense clearable autofocus maxlength=500 aria-label="Describe a person"')
            self._line.on("keydown.enter", self._ask, args=[])
            self._line.on("keydown.escape", lambda: self._line.run_method("blur"), args=[])
            self._line.on("clear", lambda: on_words(""), args=[])
            upload = ui.upload(
                on_upload=self._uploaded, on_rejected=self._refused, max_file_size=MOST_BYTES, auto_upload=True
            )
            upload.props('accept="image/jpeg,image/png"').classes("hidden")
            with Words(
                "button", "", "act plain", aria_label="Search with a picture", title="Search with a picture"
            ) as by:
                icon("add_a_photo")
            # A file dialog opens at a click only, so the browser may not have to ask the server first.
            by.on("click", js_handler=f"() => runMethod({upload.id}, 'pickFiles', [])")
            with ui.element("button").classes("act main").on("click", self._ask):
                Words("span", "Search")
        self._upload = upload

    def show(self, words: str) -> None:
        """Let `words` stand in the line."""
        self._line.set_value(words)

    def focus(self) -> None:
        """Put the cursor into the line, its words chosen."""
        self._line.run_method("focus")
        self._line.run_method("select")

    def _ask(self) -> None:
        self._on_words(" ".join((self._line.value or "").split()))

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        picture = await event.file.read()
        self._upload.reset()
        await self._on_picture(picture)

    @staticmethod
    def _refused() -> None:
        words = f"A picture is a JPEG or PNG of at most {MOST_BYTES >> 20} MiB."
        ui.notify(words, type="warning", timeout=8000)
