"""What can go wrong while training.

TrainerError
├── PhotosError     a folder that holds no readable labelled photos
├── RecipeError     a recipe (a YAML file) that cannot be followed
├── EvaluationError a clip, file or checkpoint that an evaluation cannot read
├── StartingWeightsError    ImageNet's weights, where a vision tower cannot start from them
├── JudgeError      a judge model that cannot be asked
└── CandidateRefusedError   a model that is worse than the one in force
"""

from pathlib import Path


class TrainerError(Exception):
    """Base of every error this package raises on purpose."""


class PhotosError(TrainerError):
    """A folder that holds no readable labelled photos."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder, self.reason = folder, reason

    def __str__(self) -> str:
        return f"cannot read labelled photos in {self.folder}: {self.reason}"


class RecipeError(TrainerError):
    """A recipe that cannot be followed."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot follow the recipe {self.path}: {self.reason}"


class EvaluationError(TrainerError):
    """A clip or checkpoint that an evaluation cannot read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot evaluate on {self.path}: {self.reason}"


class JudgeError(TrainerError):
    """A judge model that cannot be asked."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"cannot ask the judge at {self.url}: {self.reason}; start its server, or evaluate without --judge"


class CandidateRefusedError(TrainerError):
    """A model that is worse than the one in force."""

    def __init__(self, candidate: str, in_force: str, reasons: tuple[str, ...]) -> None:
        super().__init__(candidate, in_force, reasons)
        self.candidate, self.in_force, self.reasons = candidate, in_force, reasons

    def __str__(self) -> str:
        return f"{self.candidate} is refused, keep {self.in_force}: {'; '.join(self.reasons)}"


class StartingWeightsError(TrainerError):
    """ImageNet's weights, where a vision tower cannot start from them."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"cannot start from ImageNet's weights: {reason}")
