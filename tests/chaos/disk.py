"""A small disk of its own for the state folder, which can be made full and empty again."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

SIZE_BYTES = 1 << 30  # taken from memory as far as it is written to
LEFT_BYTES = 1 << 14
FILL_TRIES = 20


def missing_disk() -> str | None:
    """Why no disk can be made here, or None."""
    return None if os.geteuid() == 0 and _can_mount() else "a disk of its own needs root, and the right to mount"


def _can_mount() -> bool:
    """Whether the kernel lets us mount: root in a container mostly may not."""
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> 21 & 1)  # CAP_SYS_ADMIN


class Disk:
    """A tmpfs at `folder`."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; `mounted` mounts it."""
        self._folder = folder

    @contextlib.contextmanager
    def mounted(self) -> Iterator["Disk"]:
        """Mounted while the block runs."""
        self._folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "crewsight-chaos", self._folder], check=True
        )
        try:
            yield self
        finally:
            subprocess.run(["umount", "--lazy", self._folder], check=True)

    def fill(self) -> None:
        """Leave a few kilobytes."""
        for _ in range(FILL_TRIES):
            usage = os.statvfs(self._folder)
            used = (usage.f_blocks - usage.f_bfree) * usage.f_frsize
            if self._resize(used + LEFT_BYTES):
                return
        raise OSError(f"{self._folder} was written to faster than it could be made full")

    def free(self) -> None:
        """Give the space back."""
        if not self._resize(SIZE_BYTES):
            raise OSError(f"{self._folder} cannot be given its space back")

    def _resize(self, size_bytes: int) -> bool:
        """Whether it is as large now: it refuses to be smaller than what lies on it, which may have grown meanwhile."""
        command = ["mount", "-o", f"remount,size={size_bytes}", self._folder]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
