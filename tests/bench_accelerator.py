"""The 8B on one CUDA device, with random weights: answers, captions and both stages of training, each timed.

    python -m tests.bench_accelerator --out accelerator.json

Everything goes through the project's own calls: `HumanVLM.decide` and `describe` (search vector included), `LlavaTask`
and `ConversationData` under Lightning's trainer. One device holds the network, so what FSDP shards on eight is whole:
frozen weights in bfloat16, those that learn in float32, bfloat16 arithmetic. Each figure is printed and written as soon
as it is there, so that a run which is cut off still says something.

FLOP of a part = tokens it reads x its matrices' weights W (embeddings left out) x 2; in training x 2 again where a
gradient flows back through it, and 2 for every weight that learns. Neither attention scores (3% of the language
model's, 11% of the tower's) nor what gradient checkpointing computes twice are counted.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback

from model.humanvlm import HumanVLM
from model.questions import Question
from tests.builders_accelerator import Meter, Rig, noisy_crops, rows_to_learn
from trainer.llava.conversation_data import ConversationData
from trainer.llava.network import image_tokens_of
from trainer.llava.recipe import LlavaSteps, LoraRecipe
from trainer.llava.task import LlavaTask
from trainer.stages import Stage
from trainer.trainable import TrainableParts

PEAK_FLOP_PER_S = 989e12  # H100 and H200 (SXM), bfloat16, dense: NVIDIA's data sheet
ASKED = (
    Question("predicate", "Is this person wearing a hard hat?"),
    Question("predicate", "Is this person wearing a safety vest?"),
    Question("predicate", "Is this person wearing a mask?"),
    Question("choice", "What colour is the hard hat?", ("yellow", "white", "orange", "blue", "red", "none")),
    Question("choice", "What colour is the safety vest?", ("yellow", "orange", "red", "none")),
)
LORA = LoraRecipe(rank=128, alpha=256, dropout=0.05, reaches_vision_tower=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured; `stages` are rows of a batch and batches of an optimizer step."""

    decide: tuple[int, ...] = (16, 32, 64, 128)
    describe: tuple[int, ...] = (32, 64, 128, 256)
    caption_tokens: int = 100
    stages: tuple[tuple[Stage, tuple[tuple[int, int], ...]], ...] = (
        ("instruct", ((2, 8), (16, 1), (32, 1))),
        ("align", ((8, 4), (32, 1))),
    )
    steps: int = 3
    lora: LoraRecipe = LORA


TINY = Plan((1, 2), (2,), 4, (("instruct", ((2, 1),)), ("align", ((2, 1),))), 2, LoraRecipe(rank=4, alpha=8))


@dataclass(frozen=True, slots=True)
class Work:
    """What is timed, how often, and how many passes of the language model it takes if memory suffices."""

    once: Callable[[], Any]
    passes: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    batch: str
    per_s: float
    unit: str
    tflop_per_s: float
    share_of_peak: float
    memory_gb: float
    note: str = ""

    def line(self) -> str:
        """As Markdown."""
        speed = f"{self.tflop_per_s:.3g} | {self.share_of_peak:.1%} | {self.memory_gb:.1f}"
        return f"| {self.what} | {self.batch} | {self.per_s:.4g} {self.unit} | {speed} | {self.note} |"


class Bench:
    """Measures one figure after the other for as long as there is time."""

    def __init__(self, rig: Rig, plan: Plan, out: Path, *, budget_s: float, started_s: float) -> None:
        self._rig, self._plan, self._out = rig, plan, out
        self._budget_s, self._started_s = budget_s, started_s
        self._meter = Meter(rig)
        self._is_cuda = rig.device.type == "cuda"
        self.figures: list[Figure] = []

    def run(self, folder: Path) -> None:
        """All of them, each kind until a share of the time is gone."""
        self._people("5 answers and the vector", self._plan.decide, self._asking, until=0.35)
        captions = f"caption of {self._plan.caption_tokens} tokens"
        self._people(captions, self._plan.describe, self._describing, until=0.62)
        for until, (stage, batches) in zip((0.84, 0.97), self._plan.stages, strict=True):
            for rows, a_step in batches:
                with self._measured(f"stage {stage}", f"{rows} rows x {a_step}", until=until) as has_time:
                    if has_time:
                        self._train(stage, rows, a_step, folder / f"{stage}-{rows}")

    def settle(self) -> None:
        """Begin to measure: wait for the device, count from nothing."""
        self.synchronize()
        self._meter.reset()
        if self._is_cuda:
            torch.cuda.reset_peak_memory_stats()

    def synchronize(self) -> None:
        """Wait for the device."""
        if self._is_cuda:
            torch.cuda.synchronize()

    def _asking(self, batch: int) -> Work:
        model, crops = self._model(batch), noisy_crops(batch)
        return Work(lambda: model.decide(crops, ASKED), passes=1, rounds=2)

    def _describing(self, batch: int) -> Work:
        model, crops = self._model(batch), noisy_crops(batch)
        return Work(lambda: model.describe(crops), passes=self._plan.caption_tokens, rounds=1)

    def _model(self, batch: int) -> HumanVLM:
        return self._rig.humanvlm(batch, caption_tokens=self._plan.caption_tokens)

    def _people(self, what: str, batches: tuple[int, ...], work_on: Callable[[int], Work], *, until: float) -> None:
        lasted_s = 0.0
        for batch in batches:
            with self._measured(what, f"{batch} people", until=until, needs_s=2.2 * lasted_s) as has_time:
                if not has_time:
                    continue
                work, began_s = work_on(batch), time.perf_counter()
                if work.rounds > 1 or not lasted_s:  # a caption's hundred passes need no other to be warm but the first
                    work.once()
                self.settle()
                started_s = time.perf_counter()
                for _ in range(work.rounds):
                    work.once()
                self.synchronize()
                elapsed_s, lasted_s = time.perf_counter() - started_s, time.perf_counter() - began_s
                halved = self._meter.passes["language"] > work.passes * work.rounds
                note = "out of memory: batch halved" if halved else ""
                self._note(what, f"{batch} people", (batch * work.rounds / elapsed_s, "people/s"), elapsed_s, note=note)

    def _train(self, stage: Stage, rows: int, a_step: int, folder: Path) -> None:
        network, plan = self._rig.network, self._plan
        task = LlavaTask("", LlavaSteps(learning_rate=1e-5, checkpoints_gradients=True), plan.lora)
        task.stage = stage
        task.take(network)
        for parameter in task.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        path = rows_to_learn(folder, rows * a_step * (plan.steps + 1))
        data = ConversationData(llava_json=[path], images=folder, rows_a_batch=rows, pictures_checked=1)
        data.write_for(
            self._rig.processor,
            self._rig.spoken_to(plan.caption_tokens),
            image_tokens=image_tokens_of(network.config),
        )
        clock = _StepClock(self, warm_batches=a_step)
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="gpu" if self._is_cuda else "cpu",
            devices=1,
            precision="bf16-mixed" if self._is_cuda else "32-true",
            accumulate_grad_batches=a_step,
            gradient_clip_val=1.0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            callbacks=[TrainableParts(), clock],
            default_root_dir=folder,
        )
        try:
            trainer.fit(task, datamodule=data)
            tokens = self._meter.tokens["language"]
            elapsed_s = clock.elapsed_s
            note = f"{tokens // (rows * a_step * plan.steps)} tokens a row"
            speed = tokens / elapsed_s, "tokens/s"
            self._note(f"stage {stage}", f"{rows} rows x {a_step}", speed, elapsed_s, trains=True, note=note)
        finally:
            if hasattr(task.network, "unload"):
                task.network.unload()

    @contextmanager
    def _measured(self, what: str, batch: str, *, until: float, needs_s: float = 0.0) -> Iterator[bool]:
        """Whether there is time; memory that does not suffice is a line of the table."""
        has_time = time.monotonic() - self._started_s + needs_s < until * self._budget_s
        if not has_time:
            self._say(f"| {what} | {batch} | not measured: out of time | | | | |")
        try:
            yield has_time
        except torch.OutOfMemoryError:
            self._say(f"| {what} | {batch} | out of memory | | | | |")
        finally:
            if self._is_cuda:
                torch.cuda.empty_cache()

    def _note(
        self, what: str, batch: str, speed: tuple[float, str], elapsed_s: float, *, trains: bool = False, note: str = ""
    ) -> None:
        flop_per_s = self._meter.flop(trains=trains) / elapsed_s
        memory_gb = torch.cuda.max_memory_allocated() / 1e9 if self._is_cuda else 0.0
        peak = flop_per_s / PEAK_FLOP_PER_S
        self.figures.append(Figure(what, batch, *speed, flop_per_s / 1e12, peak, memory_gb, note))
        self._say(self.figures[-1].line())
        device = torch.cuda.get_device_name() if self._is_cuda else "cpu"
        versions = {"torch": torch.__version__, "device": device}
        self._out.write_text(json.dumps({**versions, "figures": [asdict(f) for f in self.figures]}, indent=1) + "\n")

    def _say(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        sys.stderr.write(f"{time.monotonic() - self._started_s:.0f} s\n")


class _StepClock(Callback):
    """Times the batches behind the first step, whose memory is new."""

    def __init__(self, bench: Bench, *, warm_batches: int) -> None:
        self._bench, self._warm_batches = bench, warm_batches
        self._started_s = 0.0
        self.elapsed_s = 0.0

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx + 1 == self._warm_batches:
            self._bench.settle()
            self._started_s = time.perf_counter()
        elif batch_idx + 1 > self._warm_batches:
            self._bench.synchronize()
            self.elapsed_s = time.perf_counter() - self._started_s


def main(args: list[str] | None = None) -> list[Figure]:
    """Measure, print and write."""
    started_s = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a tiny network in float32 on the CPU: does it run at all?")
    parser.add_argument("--out", type=Path, default=Path("accelerator.json"))
    parser.add_argument("--budget-s", type=float, default=240.0)
    said = parser.parse_args(args)
    if not said.tiny and not torch.cuda.is_available():
        raise SystemExit("no CUDA device here; --tiny shows on a CPU whether the bench runs")
    device = torch.device("cpu" if said.tiny else "cuda")
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    sys.stdout.write(
        "| what | batch | speed | TFLOP/s | of the bf16 peak | GB | |\n|---|---|---:|---:|---:|---:|---|\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig.build(Path(folder), device, is_tiny=said.tiny)
        bench = Bench(rig, TINY if said.tiny else Plan(), said.out, budget_s=said.budget_s, started_s=started_s)
        sys.stderr.write(f"{time.monotonic() - started_s:.0f} s: the network is there\n")
        bench.run(Path(folder))
    return bench.figures


if __name__ == "__main__":
    main()
