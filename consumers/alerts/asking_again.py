"""Asks HumanVLM about looks that were kept, where a rule has a question that was not asked at the time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from consumers.alerts.observing import Answers
from model.questions import Question
from streamer.bus.errors import MediaStoreError
from streamer.bus.manifest import LookSeen, Manifest
from streamer.bus.media import MediaStore

if TYPE_CHECKING:
    from model.crops import Crop
    from model.humanvlm import HumanVLM

AskedAgain = Mapping[tuple[str, int], Answers]  # (person_id, position of the look) -> answers


class AskingAgain:
    """The model that is asked; it is loaded when the first question comes.

    Raises (from `ask`): `ModelFolderError` when the model does not load, `MediaStoreError` when the store fails.
    """

    def __init__(self, store: MediaStore, *, vlm: str = "embedded", device: str | None = None) -> None:
        """Ask the model of that name about crops in `store`."""
        self._store, self._name, self._device = store, vlm, device
        self._vlm: HumanVLM | None = None
        self.looks_asked = self.crops_gone = 0

    def ask(self, manifest: Manifest, questions: Sequence[Question]) -> AskedAgain:
        """What the model says of every look of a segment whose crop is still there."""
        wanted = [(p.person_id, i, look) for p in manifest.people for i, look in enumerate(p.looks)]
        kept = [(name, i, crop) for name, i, look in wanted if (crop := self._crop(look)) is not None]
        self.looks_asked += len(kept)
        self.crops_gone += len(wanted) - len(kept)
        if not kept or not questions:
            return {}
        decisions = self._model().decide([crop for _, _, crop in kept], questions)
        return {
            (name, position): {one.question_id: dict(one.probabilities) for one in about}
            for (name, position, _), about in zip(kept, decisions, strict=True)
        }

    def _model(self) -> "HumanVLM":
        from model.humanvlm import HumanVLM

        if self._vlm is None:
            self._vlm = HumanVLM.load(self._name, device=self._device)
        return self._vlm

    def _crop(self, look: LookSeen) -> "Crop | None":
        import cv2

        from model.crops import Crop

        try:
            content = self._store.read(look.crop_uri)
        except MediaStoreError:
            return None  # crops are kept for less long than manifests
        pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR_RGB) if content else None
        if pixels is None:
            return None
        height_px = round(look.box_xyxy[3] - look.box_xyxy[1])
        return Crop(np.asarray(pixels, dtype=np.uint8), max(height_px, 1))
