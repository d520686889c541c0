"""What OpenVINO does beside running networks: nothing."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
IMPORTED = """
import model.detector_engines, model.vision_engine, model.reading_engine
from openvino.tools.ovc import telemetry
print(type(telemetry).__module__)
"""


def test_openvino_tells_nobody_that_it_is_used(tmp_path: Path) -> None:
    outside_ci = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    environment = outside_ci | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", IMPORTED]
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.split()[-1] == "openvino.tools.ovc.telemetry_stub"
    assert not (tmp_path / "intel").exists()  # where it keeps by which name it knows this machine
