"""The documents say what the code does."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def written_as_code(document: Path) -> Iterator[str]:
    """What a document sets in backticks, and each line of its shell blocks without its remark."""
    text = document.read_text()
    yield from re.findall(r"`([^`\n]+)`", text)
    for block in re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.DOTALL):
        yield from (line.partition(" #")[0] for line in block.replace("\\\n", " ").splitlines())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_holds_what_a_merge_left_undecided(document: Path) -> None:
    assert not re.findall(r"^(?:<{7}|>{7}|\|{7}|={7}$).*", document.read_text(), re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_named_in_a_document_exists_with_its_options(document: Path) -> None:
    for line in written_as_code(document):
        named = re.search(r"(?:^|\s)crewsight ([a-z].*)$", line)
        if named:
            words = named[1].split()
            command, rest = command_of(words)
            assert command is not None, f"{document.name} names {line}"
            known = {name for option in command.params for name in option.opts + option.secondary_opts}
            assert {word for word in rest if word.startswith("--")} <= known | {"--help"}, line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_setting_file_module_and_target_named_in_a_document_exists(document: Path) -> None:
    keys = {key.strip("`") for key, _, _ in all_settings()}
    keys |= {key.rpartition(".")[0] for key in keys}
    groups = {key.partition(".")[0] for key in keys}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for code in written_as_code(document):
        setting = re.fullmatch(r"([a-z]+)((?:\.[a-z_]+)+)(?:: .*)?", code)
        if setting and setting[1] in groups and Path(code).suffix not in (".db", ".json", ".md", ".sqlite3", ".yaml"):
            assert setting[1] + setting[2] in keys, f"{document.name} names {code}"
        for module in re.findall(r"-m (tests\.[a-z_.]+)", code):
            path = ROOT / module.replace(".", "/")
            assert path.is_dir() or path.with_suffix(".py").exists(), f"{document.name} names {module}"
        for path in re.findall(r"(?<![\w/.])((?:tests|trainer|consumers|deploy|streamer|model)/[\w./-]+)", code):
            assert (ROOT / path).exists(), f"{document.name} names {path}"
        assert set(re.findall(r"\bmake ([a-z-]+)", code)) <= targets, f"{document.name} names {code}"


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:\s]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words begin with, None where there is none, and the words behind it."""
    from typer.main import get_command

    import crewsight

    found, rest = get_command(crewsight.app), list(words)
    while rest and (inner := getattr(found, "commands", {}).get(rest[0])):
        found, rest = inner, rest[1:]
    if found.name == "evaluate":  # a model's name may stand where a command does
        found = found.commands["humanvlm"]  # type: ignore[attr-defined]
    return (None if len(rest) == len(words) else found), rest


def test_help_answers_without_loading_torch() -> None:
    script = (
        "import sys\nimport crewsight\nsys.argv = ['crewsight', '--help']\n"
        "try:\n    crewsight.main()\nexcept SystemExit:\n    pass\nprint('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "Watches footage" in said
    assert said.splitlines()[-1] == "False"
