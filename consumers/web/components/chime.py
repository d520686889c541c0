"""The sound of a new alert: two soft notes, made here, off until somebody wants it."""

import io
import math
import struct
import wave
from functools import cache

from fastapi import APIRouter
from starlette.responses import Response

from consumers.access.roles import LOOK
from consumers.web.components.words import Words, icon
from consumers.web.who import needs

CHIME = "/chime.wav"
RATE_HZ = 22_050
NOTES_HZ, NOTE_S = (660.0, 880.0), 0.22
LOUD = 0.35


class Chime:
    """A button that turns the sound on and off; the browser allows sound because it was clicked."""

    def __init__(self) -> None:
        """Be silent."""
        self.is_on = False
        self._sound = Words("audio", src=CHIME, preload="auto")
        self._button = Words("button", "", "act plain", aria_pressed="false").on("click", self._toggle)
        with self._button:
            self._drawing = icon("volume_off")
            self._words = Words("span", "Sound off")

    def ring(self) -> None:
        """Sound, if that is wanted."""
        if self.is_on:
            self._sound.run_method("play")

    def _toggle(self) -> None:
        self.is_on = not self.is_on
        self._drawing.set_text("volume_up" if self.is_on else "volume_off")
        self._words.set_text("Sound on" if self.is_on else "Sound off")
        self._button.attributes(aria_pressed="true" if self.is_on else "false")
        self._button.update()
        self.ring()


def chime_router() -> APIRouter:
    """`GET /chime.wav`."""
    router = APIRouter()

    @router.get(CHIME, include_in_schema=False, dependencies=[needs(LOOK)])
    def chime() -> Response:
        return Response(chime_wav(), media_type="audio/wav", headers={"Cache-Control": "private, max-age=86400"})

    return router


@cache
def chime_wav() -> bytes:
    """The sound as a WAV file, mono, 16 bit."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        for note in NOTES_HZ:
            sound.writeframes(b"".join(struct.pack("<h", _sample(note, n)) for n in range(int(RATE_HZ * NOTE_S))))
    return file.getvalue()


def _sample(note_hz: float, number: int) -> int:
    at_s = number / RATE_HZ
    fading = math.sin(math.pi * at_s / NOTE_S)  # rises and falls: no click at either end
    return round(32767 * LOUD * fading * math.sin(2 * math.pi * note_hz * at_s))
