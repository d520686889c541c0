"""The two halves of what an adapted detector is judged by: its teacher, and the people its teacher missed. Pure.

Legend: B batch, N anchors, T people of a picture at most, R bins of a side's distance (16).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import batched_nms, box_convert, box_iou

from model.detector import OVERLAP
from model.ultralytics_loading import ultralytics_tamed

BOX_GAIN, SCORE_GAIN, SIDE_GAIN = 7.5, 0.5, 1.5  # Ultralytics' own


@dataclass(frozen=True, slots=True)
class RawOutputs:
    """What a detection head says before decoding: scores (B, N) as logits, side distances (B, 4 R, N), both float32."""

    scores: Tensor
    sides: Tensor
    centres: Tensor  # (N, 2), in strides
    strides: Tensor  # (N, 1), in pixels

    @classmethod
    def of(cls, head_outputs: dict[str, Any], head: Any) -> "RawOutputs":
        """The raw outputs of an Ultralytics `Detect` head."""
        with ultralytics_tamed():
            from ultralytics.utils.tal import make_anchors

        centres, strides = make_anchors(head_outputs["feats"], head.stride, 0.5)
        scores = head_outputs["scores"].float().squeeze(1)
        return cls(scores, head_outputs["boxes"].float(), centres.float(), strides.float())

    def inside(self, boxes_xyxy: Sequence[Tensor]) -> Tensor:
        """Which anchors (B, N) lie in one of their picture's boxes (n, 4)."""
        pixels = self.centres * self.strides
        return torch.stack(
            [
                ((pixels[:, None] >= boxes[None, :, :2]) & (pixels[:, None] <= boxes[None, :, 2:])).all(2).any(1)
                for boxes in boxes_xyxy
            ]
        )


def known_persons(rows: Tensor, confidence: float) -> list[Tensor]:
    """The persons (n, 4) that decoded rows (B, 5, N) of a teacher hold, for each picture."""
    boxes = box_convert(rows[:, :4].transpose(1, 2), "cxcywh", "xyxy")  # (B, N, 4)
    image, anchor = torch.where(rows[:, 4] > confidence)
    kept = batched_nms(boxes[image, anchor], rows[image, 4, anchor], image, OVERLAP)
    return [boxes[i, anchor[kept][image[kept] == i]] for i in range(len(rows))]


def missed_persons(labelled: Sequence[Tensor], known: Sequence[Tensor], same_person_iou: float) -> list[Tensor]:
    """The labelled boxes (n, 4) of each picture that overlap none of the known ones by `same_person_iou`."""
    missed = []
    for boxes, others in zip(labelled, known, strict=True):
        nearest = box_iou(boxes, others).amax(1) if len(others) else boxes.new_zeros(len(boxes))
        missed.append(boxes[nearest < same_person_iou])
    return missed


def teacher_loss(learnt: RawOutputs, taught: RawOutputs, counted: Tensor) -> Tensor:
    """Divergence of scores and of side distances from the teacher's, over the anchors in `counted` (B, N).

    Divided by the teacher's summed scores, as Ultralytics' loss is by its targets'.
    """
    goal, counts = taught.scores.sigmoid(), counted.float()
    own_entropy = functional.binary_cross_entropy(goal, goal, reduction="none")
    of_scores = functional.binary_cross_entropy_with_logits(learnt.scores, goal, reduction="none") - own_entropy
    of_sides = _side_divergence(learnt.sides, taught.sides)
    loss: Tensor = ((of_scores + goal * of_sides) * counts).sum() / (goal * counts).sum().clamp(min=1.0)
    return loss


class MissedPersonsLoss:
    """Ultralytics' detection loss, for the people whom the teacher missed and the anchors inside their boxes only."""

    def __init__(self, network: nn.Module) -> None:
        with ultralytics_tamed():
            from ultralytics.utils.loss import v8DetectionLoss

        network.args = SimpleNamespace(box=BOX_GAIN, cls=SCORE_GAIN, dfl=SIDE_GAIN)  # type: ignore[assignment]
        self._parts = v8DetectionLoss(network)

    def __call__(
        self, learnt: RawOutputs, known: Sequence[Tensor], missed: Sequence[Tensor], counted: Tensor
    ) -> Tensor:
        """The loss; anchors are shared out between known and missed people, then only the latter's count.

        Args:
            learnt: The student's outputs.
            known: Boxes (n, 4) of each picture that the teacher found.
            missed: Boxes (n, 4) of each picture that only the labels hold.
            counted: Anchors (B, N) whose scores are learnt from the labels.
        """
        parts = self._parts
        boxes = _padded([torch.cat([others, mine]) for others, mine in zip(known, missed, strict=True)])  # (B, T, 4)
        sides = learnt.sides.permute(0, 2, 1).contiguous()  # (B, N, 4 R)
        guessed = parts.bbox_decode(learnt.centres, sides)  # (B, N, 4), in strides
        _, goal_boxes, goal_scores, taken, whom = parts.assigner(
            learnt.scores.detach().sigmoid()[..., None],
            guessed.detach() * learnt.strides,
            learnt.centres * learnt.strides,
            torch.zeros_like(boxes[..., :1]),
            boxes,
            boxes.sum(2, keepdim=True) > 0,
        )
        first_missed = torch.tensor([len(others) for others in known], device=whom.device)
        chosen = taken & (whom >= first_missed[:, None])
        goal_scores = goal_scores * chosen[..., None]
        mass = goal_scores.sum().clamp(min=1.0)
        of_scores = functional.binary_cross_entropy_with_logits(
            learnt.scores, goal_scores.squeeze(2).to(learnt.scores.dtype), reduction="none"
        )
        of_boxes, of_sides = parts.bbox_loss(
            sides,
            guessed,
            learnt.centres,
            goal_boxes / learnt.strides,
            goal_scores,
            mass,
            chosen,
            learnt.centres.new_ones(2),
            learnt.strides,
        )
        of_scores = (of_scores * (counted | chosen)).sum() / mass
        loss: Tensor = SCORE_GAIN * of_scores + BOX_GAIN * of_boxes + SIDE_GAIN * of_sides
        return loss


def _side_divergence(learnt: Tensor, taught: Tensor) -> Tensor:
    """Divergence between distance distributions (B, 4 R, N), averaged over the four sides: (B, N)."""
    batch, channels, anchors = learnt.shape
    ours = learnt.view(batch, 4, channels // 4, anchors).log_softmax(2)
    theirs = taught.view(batch, 4, channels // 4, anchors).log_softmax(2)
    divergence: Tensor = functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(2).mean(1)
    return divergence


def _padded(boxes: Sequence[Tensor]) -> Tensor:
    """Boxes of several pictures as one tensor (B, T, 4), zeros where a picture has fewer."""
    padded: Tensor = nn.utils.rnn.pad_sequence(list(boxes), batch_first=True)
    return padded
