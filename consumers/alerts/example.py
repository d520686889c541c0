"""The rules that come with the package, for a first look."""

from pathlib import Path

from consumers.errors import RulesError

EXAMPLE = Path(__file__).with_name("example-rules.yaml")
NAME = "rules.yaml"


def example_rules(folder: Path) -> Path:
    """The rules file in `folder`: a copy of the example, unless there is one, which may have been edited.

    Raises:
        RulesError: The folder cannot be written.
    """
    path = folder / NAME
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(EXAMPLE.read_bytes())
    except OSError as error:
        raise RulesError(path, None, f"cannot be written: {error.strerror or error}") from error
    return path
