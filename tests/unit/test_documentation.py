"""The documents say what the code does."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from consumers.notifying.channels import Channel, QuietHours
from consumers.settings import AnalyzerSettings, IndexerSettings, NotifierSettings, PageSettings
from streamer.bus.camera_file import CameraSpec
from streamer.settings import Source, StreamerSettings

ROOT = Path(__file__).parents[2]
PROCESSES = (StreamerSettings, AnalyzerSettings, IndexerSettings, PageSettings, NotifierSettings)


def all_settings() -> Iterator[tuple[str, str, str]]:
    """Key, default and description of everything that can be set, each once."""
    seen = set()
    for process in PROCESSES:
        for group, field in process.model_fields.items():
            kind = field.annotation
            if group in seen or not (isinstance(kind, type) and issubclass(kind, BaseModel)):
                continue
            seen.add(group)
            yield from described(group, kind)
    yield from described("sources[]", Source)
    yield from described("cameras[]", CameraSpec)
    yield from described("notifying.channels.NAME", Channel)
    yield from described("notifying.channels.NAME.quiet", QuietHours)


def described(prefix: str, group: type[BaseModel]) -> Iterator[tuple[str, str, str]]:
    for name, field in group.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from described(f"{prefix}.{name}", field.annotation)
            continue
        is_bare = field.is_required() or str(field.default) in ("None", "")
        default = "" if is_bare else f"`{field.default}`"
        yield f"`{prefix}.{name}`", default, field.description or ""


def table() -> list[str]:
    """What docs/configuration.md must hold."""
    return [f"| {key} | {default} | {description} |" for key, default, description in all_settings()]


def test_every_setting_has_its_line_with_default_and_description() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text().splitlines()
    assert [line for line in written if line.startswith("| `")] == table()


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "docs/configuration.md",
        "docs/performance.md",
        "docs/model-card.md",
        "docs/serving.md",
        "docs/notifying.md",
        "docs/alerts.md",
        "docs/desk.md",
        "docs/pictures.md",
        "docs/questions.md",
        "docs/search-queries.md",
        "docs/cameras.md",
        "docs/search-index.md",
        "docs/deployment.md",
        "docs/operations.md",
    ],
)
def test_every_command_named_in_a_document_exists(document: str) -> None:
    named = set(
        re.findall(
            r"`?crewsight ((?:train |evaluate |cameras |dead-letters |db |retention )?[a-z-]+)",
            (ROOT / document).read_text(),
        )
    )
    assert named <= commands()


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:\s]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def commands() -> set[str]:
    """Every command, as typed."""
    from typer.main import get_command

    import crewsight

    root = get_command(crewsight.app)
    top = getattr(root, "commands", {})
    below = {f"{name} {inner}" for name, command in top.items() for inner in getattr(command, "commands", {})}
    return set(top) | below | {"evaluate embedded"}  # a model's name may stand where a command does


def test_help_answers_without_loading_torch() -> None:
    script = (
        "import sys\nimport crewsight\nsys.argv = ['crewsight', '--help']\n"
        "try:\n    crewsight.main()\nexcept SystemExit:\n    pass\nprint('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "Watches footage" in said
    assert said.splitlines()[-1] == "False"
