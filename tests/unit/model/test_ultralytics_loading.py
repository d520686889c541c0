"""What loading Ultralytics leaves of Pillow and of standard output."""

import subprocess
import sys
from pathlib import Path

import pytest

LOADERS = {
    "the detector": "from model.detector_network import person_network; person_network()",
    "the tracker": (
        "from model.tracker import track_people; track_people([], sampling_fps=5.0, frame_size_wh=(640, 480))"
    ),
}


@pytest.mark.parametrize("loader", LOADERS)
def test_pillow_and_standard_output_are_as_before_once_ultralytics_is_loaded(
    loader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))  # as on a machine that has never had it: it greets the user
    script = f"""
import io, sys
from PIL import Image, UnidentifiedImageError
{LOADERS[loader]}
assert "ultralytics.utils.patches" in sys.modules
try:
    Image.open(io.BytesIO(b"rubbish"))
except UnidentifiedImageError:
    print("unidentified, as Pillow says")
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert (said.returncode, said.stdout) == (0, "unidentified, as Pillow says\n"), said.stderr
    assert "Creating new Ultralytics Settings" in said.stderr
