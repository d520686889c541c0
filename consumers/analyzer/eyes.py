"""The models that look at a segment, and the name of what they decide together."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from consumers.analyzer.combine import COMBINATION
from consumers.analyzer.vlm import Vlm
from consumers.errors import WorkAbandonedError
from consumers.questions import asked_question
from model.crops import crop_person
from model.detector import EngineName, PersonDetector
from model.errors import WaitAbandonedError
from model.humanvlm import HumanVLM
from model.questions import Question
from model.served.address import ServedModel
from model.served.humanvlm import ServedHumanVLM
from model.tracker import track_people
from streamer.bus.identity import revision_of
from streamer.bus.manifest import Revisions
from streamer.bus.messages import AskedQuestion

STAGE = "analyzer.2"  # changes with whatever else decides a result: sampling, tracking, crops, the order of people
LOOKS_AT_MOST = 8
# 16:9 and 4:3. The detector is converted for each shape when it first comes, which takes seconds: a camera of a usual
# one must not wait for that.
USUAL_SIZES_WH = ((1280, 720), (768, 576))


@dataclass(frozen=True)
class Eyes:
    """A detector and a HumanVLM with the rate and the questions they look with; belongs to one thread."""

    detector: PersonDetector
    vlm: Vlm
    sampling_fps: float = 5.0
    looks_at_most: int = LOOKS_AT_MOST
    questions: tuple[Question, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.questions:
            object.__setattr__(self, "questions", self.vlm.questions)

    @classmethod
    def open(
        cls,
        *,
        cache_dir: Path,
        detector: str = "embedded",
        engine: EngineName = "auto",
        confidence: float | None = None,
        image_size: int = 640,
        vlm: str = "embedded",
        device: str | None = None,
        served: ServedModel | None = None,
        sampling_fps: float = 5.0,
        looks_at_most: int = LOOKS_AT_MOST,
    ) -> "Eyes":
        """Load both models; with `served`, HumanVLM is what that server says, and `vlm` is not loaded.

        Raises:
            ModelFolderError: A model folder holds no model.
            ModelCacheError: `cache_dir` cannot be written.
            ModelServerError: The server's address is no URL.
            DecisionSheetError: The server's decision sheet cannot be read.
        """
        return cls(
            PersonDetector.load(
                detector, engine=engine, confidence=confidence, image_size=image_size, cache_dir=cache_dir
            ),
            ServedHumanVLM.open(served, device=device) if served else HumanVLM.load(vlm, device=device),
            sampling_fps=sampling_fps,
            looks_at_most=looks_at_most,
        )

    def check(self) -> None:
        """Wait for the server behind HumanVLM, where there is one, and find out whether it can be used.

        Raises:
            ModelServerError: It cannot.
        """
        if isinstance(self.vlm, ServedHumanVLM):
            self.vlm.check()

    @contextmanager
    def heeding(self, is_stopping: Callable[[], bool]) -> Iterator[None]:
        """For the time of the block, stop waiting for a server when told to.

        Raises:
            WorkAbandonedError: `is_stopping` said so while a server was away.
        """
        if not isinstance(self.vlm, ServedHumanVLM):
            yield
            return
        try:
            with self.vlm.heeding(is_stopping):
                yield
        except WaitAbandonedError as error:
            raise WorkAbandonedError from error

    def warm_up(self) -> None:
        """Look at black frames: what is compiled at the first look is then compiled before footage waits for it."""
        for width, height in USUAL_SIZES_WH:
            frame = np.zeros((height, width, 3), dtype=np.uint8)
            found = self.detector.detect([frame, frame])
            track_people(found, sampling_fps=self.sampling_fps, frame_size_wh=(width, height))
        seen = self.vlm.see([crop_person(frame, np.asarray([600, 200, 700, 500], dtype=np.float32))])
        self.vlm.read(seen, self.questions)
        self.vlm.describe(seen)

    @property
    def revisions(self) -> Revisions:
        """Which model says what."""
        detector = f"{self.detector.revision}@{self.detector.confidence:g}/{self.detector.image_size}"
        return Revisions(
            detector=detector,
            answer=self.vlm.answer_revision,
            caption=self.vlm.caption_revision,
            embedding_space=self.vlm.embedding_space,
        )

    @property
    def question_set_revision(self) -> str:
        """The name of the questions, in their order."""
        return revision_of(*(question.question_id for question in self.questions))

    @property
    def asked(self) -> tuple[AskedQuestion, ...]:
        """The questions as a manifest states them."""
        return tuple(asked_question(question) for question in self.questions)

    @property
    def analysis_revision(self) -> str:
        """The name of everything that decides a result beside the segment itself."""
        return revision_of(*self._looking(), self.question_set_revision)

    @property
    def models_revision(self) -> str:
        """The same name without the questions: what stays when only they change."""
        return revision_of(*self._looking())

    def asking_also(self, questions: Iterable[Question]) -> "Eyes":
        """The same eyes with more questions, those of the model first and the others by id; nothing is asked twice."""
        known = {question.question_id for question in self.questions}
        more = {q.question_id: q for q in questions if q.question_id not in known}
        return replace(self, questions=(*self.questions, *(more[name] for name in sorted(more)))) if more else self

    def _looking(self) -> tuple[object, ...]:
        revisions = self.revisions
        return (
            STAGE,
            COMBINATION,
            revisions.detector,
            revisions.answer,
            revisions.caption,
            revisions.embedding_space,
            f"{self.sampling_fps:g}",
            self.looks_at_most,
        )
