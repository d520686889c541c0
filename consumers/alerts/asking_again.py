"""Asks HumanVLM about looks that were kept, where a rule has a question that was not asked at the time."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from consumers.alerts.observing import Answers
from model.questions import Decision, Question
from model.served.address import ServedModel
from streamer.bus.errors import MediaStoreAwayError, MediaStoreError
from streamer.bus.manifest import LookSeen, Manifest
from streamer.bus.media import MediaStore

if TYPE_CHECKING:
    from model.crops import Crop

    Decide = Callable[[Sequence[Crop], Sequence[Question]], list[list[Decision]]]

AskedAgain = Mapping[tuple[str, int], Answers]  # (person_id, position of the look) -> answers


class AskingAgain:
    """The model that is asked; it is opened when the first question comes.

    Raises (from `ask`): `ModelError` when the model does not open, or its server is set up otherwise than it is asked;
    `WaitAbandonedError` when told to stop while the server is away; `MediaStoreError` when the store fails.
    """

    def __init__(
        self,
        store: MediaStore,
        *,
        vlm: str = "embedded",
        device: str | None = None,
        served: ServedModel | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Ask the model of that name, or the served one, about crops in `store`."""
        self._store, self._name, self._device, self._served = store, vlm, device, served
        self._is_stopping = is_stopping
        self._decide: Decide | None = None
        self.looks_asked = self.crops_gone = 0

    def ask(self, manifest: Manifest, questions: Sequence[Question]) -> AskedAgain:
        """What the model says of every look of a segment whose crop is still there."""
        wanted = [(p.person_id, i, look) for p in manifest.people for i, look in enumerate(p.looks)]
        kept = [(name, i, crop) for name, i, look in wanted if (crop := self._crop(look)) is not None]
        self.looks_asked += len(kept)
        self.crops_gone += len(wanted) - len(kept)
        if not kept or not questions:
            return {}
        decisions = self._asked()([crop for _, _, crop in kept], questions)
        return {
            (name, position): {one.question_id: dict(one.probabilities) for one in about}
            for (name, position, _), about in zip(kept, decisions, strict=True)
        }

    def _asked(self) -> "Decide":
        if self._decide is None:
            self._decide = self._open()
        return self._decide

    def _open(self) -> "Decide":
        if self._served is None:
            from model.humanvlm import HumanVLM

            return HumanVLM.load(self._name, device=self._device).decide
        from model.served.humanvlm import ServedHumanVLM

        served = ServedHumanVLM.open(self._served, device=self._device)

        def decide(crops: "Sequence[Crop]", questions: Sequence[Question]) -> list[list[Decision]]:
            with served.heeding(self._is_stopping):
                return served.decide(crops, questions)

        return decide

    def _crop(self, look: LookSeen) -> "Crop | None":
        import cv2

        from model.crops import Crop

        try:
            content = self._store.read(look.crop_uri)
        except MediaStoreAwayError:
            raise
        except MediaStoreError:
            return None  # crops are kept for less long than manifests
        pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR_RGB) if content else None
        if pixels is None:
            return None
        height_px = round(look.box_xyxy[3] - look.box_xyxy[1])
        return Crop(np.asarray(pixels, dtype=np.uint8), max(height_px, 1))
