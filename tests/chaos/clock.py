"""The wall clock of a process, set while it runs."""

import shutil
import struct
import subprocess
from pathlib import Path


def missing_clock() -> str | None:
    """Why no clock can be shifted here, or None."""
    return None if shutil.which("cc") else "a shifted clock needs a C compiler"


class ShiftedClock:
    """A clock that processes started with `env` go by."""

    def __init__(self, folder: Path) -> None:
        """Make it in `folder`; it is right at first."""
        self._shift, library = folder / "clock-shift", folder / "clock.so"
        self._shift.write_bytes(struct.pack("=q", 0))
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
        self.env = {"LD_PRELOAD": str(library), "CREWSIGHT_CLOCK_SHIFT": str(self._shift)}

    def set(self, shift_s: int) -> None:
        """Be off by `shift_s` from now on."""
        with self._shift.open("r+b") as file:  # in place: it is mapped
            file.write(struct.pack("=q", shift_s))
