"""A LLaVA spread over two real processes learns what one that each of them holds whole learns."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlavaForConditionalGeneration

from tests.builders_conversations import caption_shards, llava_json
from tests.builders_llava import tiny_llava
from tests.builders_trainer import tiny_llava_recipe
from trainer.curves import read_curves

ROOT = Path(__file__).parents[3]
SPREAD: dict[str, Any] = {
    "class_path": "pytorch_lightning.strategies.ModelParallelStrategy",
    "init_args": {"data_parallel_size": 2, "tensor_parallel_size": 1, "save_distributed_checkpoint": False},
}
CUT = ["--trainer.callbacks+=tests.builders_trainer.PowerCutAfter", "--trainer.callbacks.step=3"]


class Runs:
    """Runs of one tiny LLaVA over two processes, a folder a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._base = tiny_llava(folder / "base", is_wide=False)
        llava_json(folder)
        caption_shards(folder / "shards")

    def train(self, name: str, strategy: Any, *words: str, stage: str = "instruct") -> str:
        """Run a stage as whoever has two devices does; what it says."""
        (self._folder / name).mkdir(exist_ok=True)
        recipe = tiny_llava_recipe(
            self._folder / name, self._base, self._folder, rows_a_batch=2, devices=2, strategy=strategy
        )
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        run = subprocess.run(
            [*launcher, "-m", "crewsight", "train", stage, "--config", str(recipe), *words],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert (run.returncode == 0) == (CUT[0] not in words), run.stderr[-3000:]
        return run.stderr

    def losses(self, name: str) -> list[tuple[int, str, float]]:
        return read_curves(self._folder / name / "work" / "instruct")

    def weights(self, name: str, written: str = "instructed") -> dict[str, torch.Tensor]:
        folder = self._folder / name / written
        return dict(LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.bfloat16).state_dict())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    made = Runs(tmp_path_factory.mktemp("runs"))
    made.train("spread", SPREAD)
    return made


def test_spread_over_two_devices_it_learns_what_it_learns_whole_on_each(runs: Runs) -> None:
    runs.train("whole", "ddp")
    assert runs.losses("spread") == pytest.approx(runs.losses("whole"), rel=1e-4)
    spread, whole = runs.weights("spread"), runs.weights("whole")
    assert spread.keys() == whole.keys()
    for name, weight in spread.items():  # of which bfloat16 keeps eight bits
        torch.testing.assert_close(weight, whole[name], rtol=2**-7, atol=1e-4)


def test_a_spread_run_that_was_stopped_goes_on_as_if_it_had_not_been(runs: Runs) -> None:
    assert "PowerCutError" in runs.train("stopped", SPREAD, *CUT)
    runs.train("stopped", SPREAD, "--resume")
    assert runs.losses("stopped") == runs.losses("spread")
    spread, stopped = runs.weights("spread"), runs.weights("stopped")
    assert all(torch.equal(weight, stopped[name]) for name, weight in spread.items())


def test_a_spread_connector_is_aligned_in_bfloat16(runs: Runs) -> None:
    runs.train("half", SPREAD, "--trainer.precision=bf16-mixed", stage="align")
    before, after = runs.weights("", "base"), runs.weights("half", "aligned")
    changed = {name.split(".")[1] for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert changed == {"multi_modal_projector"}
