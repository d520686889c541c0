"""Child processes that end when their parent does, however that ends (Linux)."""

import os
import signal
import sys
from collections.abc import Sequence

# Run in a process that then becomes the child: a `preexec_fn` could deadlock where the parent runs threads.
_SHIM = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, int(sys.argv[1]), 0, 0, 0)  # PR_SET_PDEATHSIG of linux/prctl.h
if os.getppid() != int(sys.argv[2]):  # it died before we asked
    os._exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""


def tethered(command: Sequence[str], ending: signal.Signals) -> list[str]:
    """The command that runs `command`, whose first word is a path, and sends it `ending` when this process is gone.

    Start it from the main thread: the kernel watches the thread that forked.
    """
    return [sys.executable, "-I", "-S", "-c", _SHIM, str(int(ending)), str(os.getpid()), *command]
