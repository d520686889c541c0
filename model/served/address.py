"""Where a served model is and how it is asked. Pure and light: no network, no torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Route = Literal["systemone", "decisions", "sglang"]
PictureForm = Literal["assets", "images"]


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """One model on one server.

    Attributes:
        url: The server's root, without `/v1`.
        model: The name that the server knows the model by.
        api_key: Sent as a bearer token; empty: none is sent.
        concurrency: Requests under way at once, at most.
        timeout_s: Seconds of silence after which a request counts as failed.
        first_pause_s: About how long to wait before a failed request is sent again; it doubles every time.
        longest_pause_s: Where the doubling ends.
    """

    url: str
    model: str
    api_key: str = field(default="", repr=False)
    concurrency: int = 8
    timeout_s: float = 60.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 20.0


@dataclass(frozen=True, slots=True)
class ServedModel:
    """All that `ServedHumanVLM.open` must know.

    Attributes:
        questions: The server that answers questions.
        captions: The server that writes captions; often the same one.
        route: The form in which questions are put.
        pictures: Where the form `systemone` carries the picture: named in the state and sent as one of `assets`
            (TypeSafe, transformers), or in the list `images` (llama.cpp, SGLang).
        tower: The HumanVLM in this process that places people and words in the search space.
        sheet: A `decision.json` with the questions the served model was measured on; None: none was measured.
        offers_cannot_tell: Whether *cannot tell* is put to the model as one more answer.
    """

    questions: ServerAddress
    captions: ServerAddress
    route: Route = "systemone"
    pictures: PictureForm = "assets"
    tower: str = "embedded"
    sheet: Path | None = None
    offers_cannot_tell: bool = False
