"""Where a HumanVLM checkpoint's files are. Light: whoever only asks whether a model is there need not load torch."""

from pathlib import Path

from model.errors import ModelFolderError

EMBEDDED = Path(__file__).parent / "weights" / "humanvlm"
CONFIG, VOCABULARY, DECISIONS, WEIGHTS = "config.json", "vocabulary.json", "decision.json", "model.safetensors"


def checkpoint_folder(name: str | Path) -> Path:
    """The folder that a model's name means: `embedded`, or the folder itself.

    Raises:
        ModelFolderError: a file of the checkpoint is missing.
    """
    folder = EMBEDDED if name == "embedded" else Path(name)
    for file in (CONFIG, VOCABULARY, DECISIONS, WEIGHTS):
        if not (folder / file).is_file():
            raise ModelFolderError(folder, f"{file} is missing")
    return folder
