"""How a person detector learns from labels without forgetting what its starting weights know.

Labels of a data set made for something else leave people out, and a detector trained on them alone unlearns everybody
who is not labelled. So the starting weights stay beside the student as its teacher: everywhere but around the people
that only the labels know, the student is held to the teacher's scores and boxes (as in Learning without Forgetting,
https://arxiv.org/abs/1606.09282); the usual detection loss is taken over labels and teacher's boxes together.

Legend: B batch, H and W of the canvas, N anchors, R bins of a side's distance (16).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import batched_nms, box_convert, box_iou

from model.detector import OVERLAP
from trainer.detector_photos import PersonBatch

ULTRALYTICS_GAINS = {"box": 7.5, "cls": 0.5, "dfl": 1.5}


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How far the student may go from its teacher.

    `label_weight` pulls towards the labels, `teacher_weight` holds back. A label is a person whom the teacher missed
    where it overlaps none of the teacher's boxes (found at `teacher_confidence`) by `same_person_iou`.
    """

    learning_rate: float = 2e-4
    warmup_steps: int = 50
    steps: int = 1500
    weight_decay: float = 1e-4
    label_weight: float = 1.0
    teacher_weight: float = 1.0
    teacher_confidence: float = 0.25
    same_person_iou: float = 0.3


class DetectorTask(pl.LightningModule):
    """Trains `network`, which begins as a copy of `teacher`."""

    def __init__(self, network: nn.Module, teacher: nn.Module, adaptation: Adaptation) -> None:
        super().__init__()
        from ultralytics.utils.loss import v8DetectionLoss

        self.network, self.adaptation = network.requires_grad_(True), adaptation
        self.teacher = teacher.requires_grad_(False)
        network.args = SimpleNamespace(**ULTRALYTICS_GAINS)  # type: ignore[assignment]
        self._detection_loss = v8DetectionLoss(network)

    def train(self, mode: bool = True) -> "DetectorTask":
        """Both networks stay in evaluation mode: batch norms keep the statistics that the teacher's have."""
        super().train(mode)
        self.network.eval()
        self.teacher.eval()
        return self

    def training_step(self, batch: PersonBatch, _position: int) -> Tensor:
        """The loss of one batch."""
        labels, teacher = self._loss(batch)
        self.log_dict({"train/label_loss": labels, "train/teacher_loss": teacher}, prog_bar=True)
        return self.adaptation.label_weight * labels + self.adaptation.teacher_weight * teacher

    def configure_optimizers(self) -> Any:
        """AdamW, warmed up, then along a cosine to a hundredth."""
        settings = self.adaptation
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

        def share(step: int) -> float:
            if step < settings.warmup_steps:
                return (step + 1) / settings.warmup_steps
            done = (step - settings.warmup_steps) / max(settings.steps - settings.warmup_steps, 1)
            return 0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _loss(self, batch: PersonBatch) -> tuple[Tensor, Tensor]:
        pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            rows, taught = self.teacher(pixels)
        known = teacher_boxes(rows.float(), self.adaptation.teacher_confidence)
        missed = [
            boxes[_furthest(boxes, others) < self.adaptation.same_person_iou]
            for boxes, others in zip(batch.boxes_xyxy, known, strict=True)
        ]
        learnt = self.network(pixels)[1]
        targets = [torch.cat([others, boxes]) for others, boxes in zip(known, missed, strict=True)]
        of_labels = self._label_loss(learnt, targets, pixels.shape[2:])
        return of_labels, teacher_loss(learnt, taught, self._away_from(missed, taught))

    def _label_loss(self, learnt: dict[str, Any], boxes: Sequence[Tensor], size_hw: Sequence[int]) -> Tensor:
        """Ultralytics' detection loss, per picture."""
        height, width = size_hw
        together = torch.cat(list(boxes))
        scale = together.new_tensor([width, height, width, height])
        image = torch.cat([boxes_.new_full((len(boxes_),), i) for i, boxes_ in enumerate(boxes)])
        targets = {
            "batch_idx": image,
            "cls": torch.zeros_like(image),
            "bboxes": box_convert(together, "xyxy", "cxcywh") / scale,
        }
        loss: Tensor = self._detection_loss(_in_float(learnt), targets)[0].sum() / len(boxes)
        return loss

    def _away_from(self, missed: Sequence[Tensor], outputs: dict[str, Any]) -> Tensor:
        """Which anchors (B, N) lie in none of the boxes that the teacher missed."""
        from ultralytics.utils.tal import make_anchors

        head = self.network.model[-1]  # type: ignore[index]
        points, strides = make_anchors(outputs["feats"], head.stride, 0.5)
        centres = points.float() * strides.float()  # (N, 2)
        inside = [
            ((centres[:, None] >= boxes[None, :, :2]) & (centres[:, None] <= boxes[None, :, 2:])).all(2).any(1)
            for boxes in missed
        ]
        return ~torch.stack(inside)


def teacher_boxes(rows: Tensor, confidence: float) -> list[Tensor]:
    """The persons that decoded rows (B, 5, N) hold, (n, 4) for each picture."""
    boxes = box_convert(rows[:, :4].transpose(1, 2), "cxcywh", "xyxy")  # (B, N, 4)
    image, anchor = torch.where(rows[:, 4] > confidence)
    kept = batched_nms(boxes[image, anchor], rows[image, 4, anchor], image, OVERLAP)
    return [boxes[i, anchor[kept][image[kept] == i]] for i in range(len(rows))]


def teacher_loss(learnt: dict[str, Any], taught: dict[str, Any], counted: Tensor) -> Tensor:
    """Divergence of scores and of side distances from the teacher's, over the anchors in `counted` (B, N).

    Both are divided by the teacher's summed scores, as Ultralytics' loss is by its targets'.
    """
    scores, goal = learnt["scores"].float().squeeze(1), taught["scores"].float().squeeze(1).sigmoid()  # (B, N)
    counts = counted.float()
    mass = (goal * counts).sum().clamp(min=1.0)
    own_entropy = functional.binary_cross_entropy(goal, goal, reduction="none")
    of_scores = functional.binary_cross_entropy_with_logits(scores, goal, reduction="none") - own_entropy
    of_boxes = _side_divergence(learnt["boxes"].float(), taught["boxes"].float())
    loss: Tensor = ((of_scores + goal * of_boxes) * counts).sum() / mass
    return loss


def _side_divergence(learnt: Tensor, taught: Tensor) -> Tensor:
    """Divergence between distance distributions (B, 4 R, N), averaged over the four sides: (B, N)."""
    batch, channels, anchors = learnt.shape
    ours = learnt.view(batch, 4, channels // 4, anchors).log_softmax(2)
    theirs = taught.view(batch, 4, channels // 4, anchors).log_softmax(2)
    divergence: Tensor = functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(2).mean(1)
    return divergence


def _furthest(boxes: Tensor, others: Tensor) -> Tensor:
    """The largest overlap of each box (n, 4) with any other (m, 4)."""
    if not len(others):
        return boxes.new_zeros(len(boxes))
    overlaps: Tensor = box_iou(boxes, others)
    return overlaps.amax(1)


def _in_float(outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "boxes": outputs["boxes"].float(),
        "scores": outputs["scores"].float(),
        "feats": [features.float() for features in outputs["feats"]],
    }
