"""What can go wrong with a model.

ModelError
├── ModelFolderError     a folder that holds no loadable model
├── ModelCacheError      a folder for converted models that cannot be written
└── ModelExportError     a model that cannot be written in another form
"""

from pathlib import Path


class ModelError(Exception):
    """Base of every error this package raises on purpose."""


class ModelFolderError(ModelError):
    """A folder that holds no loadable model."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder, self.reason = folder, reason

    def __str__(self) -> str:
        return f"cannot load a model from {self.folder}: {self.reason}; name a folder written by `crewsight train`"


class ModelCacheError(ModelError):
    """A folder for converted models that cannot be written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder, self.reason = folder, reason

    def __str__(self) -> str:
        return (
            f"cannot keep a converted model in {self.folder}: {self.reason}; make the folder writable or name another"
        )


class ModelExportError(ModelError):
    """A model that cannot be written in another form."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder, self.reason = folder, reason

    def __str__(self) -> str:
        return f"cannot export {self.folder} as a LLaVA: {self.reason}"
