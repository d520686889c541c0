"""The accelerator bench runs without an accelerator, on a tiny network, so that a lent one is not spent on mistakes."""

import json
from pathlib import Path

import pytest

from tests.bench_accelerator import main

pytestmark = pytest.mark.filterwarnings("ignore")


def test_every_figure_is_measured_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    figures = main(["--tiny", "--out", str(out)])
    assert [figure.what for figure in figures] == [
        "5 answers and the vector",
        "5 answers and the vector",
        "caption of 4 tokens",
        "stage instruct",
        "stage align",
    ]
    assert all(figure.per_s > 0 and figure.tflop_per_s > 0 for figure in figures)
    assert not any("halved" in figure.note for figure in figures)  # as many passes as were asked for
    assert [written["per_s"] for written in json.loads(out.read_text())["figures"]] == [f.per_s for f in figures]
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 2 + len(figures)
    assert "out of" not in "".join(table)
