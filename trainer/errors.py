"""What can go wrong while training.

TrainerError
├── PhotosError     a folder that holds no readable labelled photos
├── RecipeError     a recipe (a YAML file) that cannot be followed
└── EvaluationError     a clip or checkpoint that an evaluation cannot read
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
