"""A mean over two real processes is the mean of everything, however unevenly it is spread."""

from pathlib import Path

import pytest
import pytorch_lightning as lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from tests.ports import free_port
from trainer.ranks import mean_over_ranks

ROWS = {0: [1.0], 1: [2.0, 3.0, 4.0, 5.0, 6.0]}
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytorch_lightning.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*(LeafSpec|fork|barrier).*"),
]


class Slope(lightning.LightningModule):
    """Learns one number; each process sees its own rows."""

    def __init__(self, written: Path, rows: dict[int, list[float]]) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.0))
        self._written, self._rows = written, rows

    def train_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader([torch.tensor(self._rows[self.global_rank])], batch_size=None)  # type: ignore[arg-type]

    def training_step(self, row: Tensor, _index: int) -> Tensor:
        error = (self.slope * row - 1) ** 2
        return mean_over_ranks(error.sum(), torch.tensor(len(row)), self.trainer.strategy)

    def on_train_end(self) -> None:
        if self.global_rank == 0:
            self._written.write_text(str(self.slope.item()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def slope_after_one_step(written: Path, rows: dict[int, list[float]]) -> float:
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=len(rows),
        strategy="ddp_fork" if len(rows) > 1 else "auto",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(Slope(written, rows))
    return float(written.read_text())


def test_a_token_weighs_the_same_on_every_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_PORT", str(free_port()))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    together = slope_after_one_step(tmp_path / "one", {0: ROWS[0] + ROWS[1]})
    assert slope_after_one_step(tmp_path / "two", ROWS) == pytest.approx(together, rel=1e-5)


def test_alone_it_is_an_ordinary_mean() -> None:
    assert float(mean_over_ranks(torch.tensor(6.0), torch.tensor(3), None)) == 2.0
    assert float(mean_over_ranks(torch.tensor(0.0), torch.tensor(0), None)) == 0.0
