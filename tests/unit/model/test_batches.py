"""Batches that shrink when memory is short, and a HumanVLM that goes on with them."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from model.batches import Batches
from model.crops import Crop
from model.humanvlm import HumanVLM
from model.layouts.compact import CompactLayout
from model.layouts.layout import ImageTokens
from model.questions import Question
from tests.builders_model import QUESTIONS, tiny_humanvlm

ASKED = tuple(measured.question for measured in QUESTIONS)


class SmallMemory(CompactLayout):
    """A layout on a machine that has room for a few crops."""

    room = 3

    def see(self, crops: Sequence[Crop]) -> ImageTokens:
        self._fill(len(crops))
        return super().see(crops)

    def read(self, seen: ImageTokens, questions: Sequence[Question]) -> tuple[list[torch.Tensor], torch.Tensor]:
        self._fill(len(seen))
        return super().read(seen, questions)

    def describe(self, seen: ImageTokens) -> list[str]:
        self._fill(len(seen))
        return super().describe(seen)

    def _fill(self, count: int) -> None:
        if count > self.room:
            raise torch.OutOfMemoryError(f"no room for {count} crops")


class NoMemory(SmallMemory):
    room = 0


def crops(count: int) -> list[Crop]:
    chance = np.random.default_rng(count)
    return [Crop(chance.integers(0, 256, (120, 50, 3), dtype=np.uint8), 120) for _ in range(count)]


def test_work_is_cut_into_batches_in_order() -> None:
    assert Batches("work", 4).run(lambda part: list(range(10))[part], 10) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert Batches("work", 4).run(lambda part: part, 0) == []


def test_a_batch_that_does_not_fit_is_halved_for_good_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    tried: list[int] = []

    def step(part: slice) -> list[int]:
        tried.append(part.stop - part.start)
        if tried[-1] > 2:
            raise torch.OutOfMemoryError("full")
        return list(range(9))[part]

    batches = Batches("read", 9)
    with caplog.at_level(logging.WARNING):
        assert batches.run(step, 9) == [[0, 1], [2, 3], [4, 5], [6, 7], [8]]
        assert batches.run(step, 3) == [[0, 1], [2]]
    assert tried == [9, 4, 2, 2, 2, 2, 1, 2, 1]
    (told,) = [record for record in caplog.records if "out of memory" in record.message]
    assert (told.work, told.at_once) == ("read", 4)  # type: ignore[attr-defined]


def test_what_does_not_fit_alone_ends_the_work() -> None:
    def step(part: slice) -> None:
        raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError, match="full"):
        Batches("see", 8).run(step, 8)


def test_a_model_short_of_memory_says_what_it_says_with_plenty(tmp_path: Path) -> None:
    folder, cpu, people = tiny_humanvlm(tmp_path / "model"), torch.device("cpu"), crops(10)
    short = HumanVLM(SmallMemory.open(folder, cpu, torch.float32))
    ample = HumanVLM.load(folder, device="cpu")
    reading, expected = short.read(people, ASKED), ample.read(people, ASKED)
    for row, expected_row in zip(reading.decisions, expected.decisions, strict=True):
        for one, other in zip(row, expected_row, strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
    np.testing.assert_allclose(reading.vectors, expected.vectors, atol=1e-4)
    assert short.describe(people) == ample.describe(people)


def test_a_model_without_any_memory_fails_and_answers_nothing(tmp_path: Path) -> None:
    model = HumanVLM(NoMemory.open(tiny_humanvlm(tmp_path / "model"), torch.device("cpu"), torch.float32))
    with pytest.raises(torch.OutOfMemoryError):
        model.decide(crops(2), ASKED)
