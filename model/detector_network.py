"""YOLO11n with one class, *person*: how it is built, and how its weights are stored and found.

A detector's folder holds `detector.safetensors` (float16) and `detector.json` (architecture, threshold and what the
weights were trained and measured on). The layers are Ultralytics' own (`cfg/models/11/yolo11.yaml`).

Legend: B batch, H and W of the canvas, N anchors (H/8 x W/8 + H/16 x W/16 + H/32 x W/32).
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.errors import ModelFolderError
from model.ultralytics_loading import ultralytics_tamed

if TYPE_CHECKING:
    from torch import nn

EMBEDDED_FOLDER = Path(__file__).parent / "weights" / "detector"
WEIGHTS_FILE, CARD_FILE = "detector.safetensors", "detector.json"
COCO_CLASSES = 80
COCO_PERSON = 0


class DetectorCard(BaseModel):
    """What is known of a detector's weights, as stored beside them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    architecture: str = Field("yolo11n.yaml", description="Ultralytics' name of the layers.")
    confidence: float = Field(gt=0, lt=1, description="The threshold at which the weights were measured.")
    training: dict[str, Any] = Field(default_factory=dict, description="Data, recipe and seed.")
    measured: dict[str, Any] = Field(default_factory=dict, description="Figures, with what they were measured on.")


@dataclass(frozen=True, slots=True)
class DetectorFolder:
    """A folder of detector weights that has been checked, not yet loaded."""

    folder: Path
    card: DetectorCard
    weights_sha256: str

    @classmethod
    def open(cls, name: str | Path = "embedded") -> "DetectorFolder":
        """The detector's folder by name: `embedded` is the one in this package, anything else is a path.

        Raises:
            ModelFolderError: The folder, its weights or its card is missing or unreadable.
        """
        folder = EMBEDDED_FOLDER if name == "embedded" else Path(name)
        if not folder.is_dir():
            raise ModelFolderError(folder, "there is no such folder")
        for file_name in (CARD_FILE, WEIGHTS_FILE):
            if not (folder / file_name).is_file():
                raise ModelFolderError(folder, f"{file_name} is missing")
        try:
            card = DetectorCard.model_validate_json((folder / CARD_FILE).read_bytes())
            digest = hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()
        except ValidationError as error:
            raise ModelFolderError(folder, f"{CARD_FILE} is not a detector's: {_first_problem(error)}") from error
        except OSError as error:
            raise ModelFolderError(folder, str(error)) from error
        return cls(folder, card, digest)

    @property
    def revision(self) -> str:
        """The name under which results quote these weights."""
        return f"{Path(self.card.architecture).stem}-person-{self.weights_sha256[:8]}"

    def network(self) -> "nn.Module":
        """The network with these weights, float32, batch norms apart, in evaluation mode.

        Raises:
            ModelFolderError: The weights are not those of this architecture.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            weights = load_file(self.folder / WEIGHTS_FILE)
        except (SafetensorError, OSError) as error:
            raise ModelFolderError(self.folder, f"{WEIGHTS_FILE} cannot be read: {error}") from error
        network = person_network(self.card.architecture)
        # `num_batches_tracked` is left out of the file: it only matters to a batch norm that is still learning.
        missing, unknown = network.load_state_dict(weights, strict=False)
        if unknown or any(not name.endswith("num_batches_tracked") for name in missing):
            raise ModelFolderError(self.folder, f"{WEIGHTS_FILE} does not hold a {self.card.architecture}")
        return network.eval()


def person_network(architecture: str = "yolo11n.yaml") -> "nn.Module":
    """An untrained network with the one class *person*, its classification branch as wide as COCO's."""
    with ultralytics_tamed():
        from ultralytics.nn.tasks import DetectionModel

    return keep_person(DetectionModel(architecture, nc=COCO_CLASSES, verbose=False))


def keep_person(network: Any) -> "nn.Module":
    """The same COCO network with only its person score left; boxes and features are untouched."""
    from torch import nn

    head = network.model[-1]
    for branch in head.cv3:
        every_class = branch[-1]
        person = nn.Conv2d(every_class.in_channels, 1, 1)
        person.weight = nn.Parameter(every_class.weight[COCO_PERSON : COCO_PERSON + 1].detach().clone())
        person.bias = nn.Parameter(every_class.bias[COCO_PERSON : COCO_PERSON + 1].detach().clone())
        branch[-1] = person
    head.nc, head.no = 1, 1 + 4 * head.reg_max
    network.nc, network.names = 1, {0: "person"}
    network.yaml = {**network.yaml, "nc": 1}
    return network  # type: ignore[no-any-return]


def save_detector(network: "nn.Module", card: DetectorCard, folder: Path) -> None:
    """Write a network's weights (float16) and its card into a folder, making it if needed."""
    import torch
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    halves = {name: tensor.detach().cpu().to(torch.float16).contiguous() for name, tensor in kept.items()}
    (folder / WEIGHTS_FILE).write_bytes(save(halves))
    card_text = json.dumps(card.model_dump(mode="json"), indent=2)
    (folder / CARD_FILE).write_text(card_text + "\n", encoding="utf-8")


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg']}"
