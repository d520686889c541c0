"""`crewsight model export --llava`, read again by transformers alone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration, LlavaProcessor
from typer.testing import CliRunner

import crewsight
from model.crops import Crop
from model.errors import ModelExportError
from model.export import export_llava
from model.humanvlm import HumanVLM
from model.layouts.prompts import TEMPLATES
from model.questions import Question
from tests.builders_llava import tiny_llava
from tests.builders_model import tiny_humanvlm

PIXELS = np.random.default_rng(0).integers(0, 256, (90, 40, 3), dtype=np.uint8)


@torch.inference_mode()
def logits(folder: Path) -> torch.Tensor:
    network = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    processor = LlavaProcessor.from_pretrained(folder)
    text = "USER: <image>\nIs this person wearing a hard hat?\nASSISTANT:"
    return network(**processor(images=Image.fromarray(PIXELS), text=text, return_tensors="pt")).logits


def test_transformers_reads_from_the_export_what_it_reads_from_the_model(tmp_path: Path) -> None:
    folder = tiny_llava(tmp_path / "model", chat_template=None, settings={"prompt": "llama-3"})
    (folder / "decision.json").write_text('{"open_to_any_question": true, "temperature": {"noul": 3.0}}')
    result = CliRunner().invoke(
        crewsight.app, ["model", "export", "--llava", str(tmp_path / "out"), "--model", str(folder)]
    )
    assert result.exit_code == 0, result.output
    torch.testing.assert_close(logits(tmp_path / "out"), logits(folder), atol=0, rtol=0)
    assert LlavaProcessor.from_pretrained(tmp_path / "out").chat_template == TEMPLATES["llama-3"]
    assert json.loads((tmp_path / "out" / "config.json").read_text())["architectures"] == [
        "LlavaForConditionalGeneration"
    ]


def test_the_export_is_a_humanvlm_again(tmp_path: Path) -> None:
    folder = tiny_llava(tmp_path / "model")
    export_llava(folder, tmp_path / "out")
    shutil.copytree(folder / "search", tmp_path / "out" / "search")
    asked, crop = [Question("predicate", "Is this person wearing a hard hat?")], Crop(PIXELS, 80)
    before, after = (HumanVLM.load(f, device="cpu").decide([crop], asked) for f in (folder, tmp_path / "out"))
    assert after[0][0].probabilities == pytest.approx(before[0][0].probabilities, abs=1e-6)


def test_weights_keep_the_type_they_have(tmp_path: Path) -> None:
    folder = tiny_llava(tmp_path / "model")
    LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    export_llava(folder, tmp_path / "out")
    assert LlavaForConditionalGeneration.from_pretrained(tmp_path / "out", dtype="auto").dtype == torch.bfloat16


def test_the_compact_layout_is_no_llava(tmp_path: Path) -> None:
    with pytest.raises(ModelExportError, match="convolutional backbone") as caught:
        export_llava(tiny_humanvlm(tmp_path / "model"), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    folder = tiny_llava(tmp_path / "model")
    with pytest.raises(ModelExportError, match="is not empty"):
        export_llava(folder, folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelExportError, match="cannot be written"):
        export_llava(folder, tmp_path / "file")
