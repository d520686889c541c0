"""What can go wrong with a model.

ModelError
├── ModelFolderError     a folder that holds no loadable model
├── DeviceError          a device that is not there
├── ModelCacheError      a folder for converted models that cannot be written
├── ModelServerError     a model server that is set up otherwise than it is asked
├── DecisionSheetError   a file that holds no decision sheet
├── WaitAbandonedError   told to stop while waiting for a model server
├── OpenQuestionError    an open question to a model without words of its own
├── LibraryTooOldError   an installed library that does not do what a model needs of it
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


class DeviceError(ModelError):
    """A device that is not there."""

    def __init__(self, device: str, reason: str) -> None:
        super().__init__(device, reason)
        self.device, self.reason = device, reason

    def __str__(self) -> str:
        return f"no network can run on {self.device}: {self.reason}; name another device (vlm.device), or none"


class ModelCacheError(ModelError):
    """A folder for converted models that cannot be written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder, self.reason = folder, reason

    def __str__(self) -> str:
        return (
            f"cannot keep a converted model in {self.folder}: {self.reason}; make the folder writable or name another"
        )


class ModelServerError(ModelError):
    """A model server that is set up otherwise than it is asked; it will not mend itself."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"cannot use the model server {self.url}: {self.reason}"


class DecisionSheetError(ModelError):
    """A file that holds no decision sheet."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot read decision sheet {self.path}: {self.reason}"


class WaitAbandonedError(ModelError):
    """Told to stop while waiting for a model server; nothing was answered."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return f"stopped waiting for the model server {self.url}"


class OpenQuestionError(ModelError):
    """An open question to a model without words of its own."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model

    def __str__(self) -> str:
        return (
            f"{self.model} answers no open questions: it chooses among allowed answers and writes captions; ask a "
            "LLaVA or a model server"
        )


class LibraryTooOldError(ModelError):
    """An installed library that does not do what a model needs of it."""

    def __init__(self, library: str, installed: str, lacks: str) -> None:
        super().__init__(library, installed, lacks)
        self.library, self.installed, self.lacks = library, installed, lacks

    def __str__(self) -> str:
        return f"{self.library} {self.installed} {self.lacks}; install the version that this project asks for"


class ModelExportError(ModelError):
    """A model that cannot be written in another form."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder, self.reason = folder, reason

    def __str__(self) -> str:
        return f"cannot export {self.folder} as a LLaVA: {self.reason}"
