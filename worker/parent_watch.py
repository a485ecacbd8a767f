"""Processes that end with their parent.

Run as a script, `parent_watch.py PARENT_PID PROGRAM ARGUMENTS...` becomes PROGRAM, which then ends
with its parent. The script imports only the standard library, so that it starts in milliseconds
from any folder.
"""

import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1
CHECK_S = 1.0


def signal_on_parents_death(parent: int, signum: signal.Signals) -> None:
    """Ask the kernel to signal this process when the thread that started it ends.

    Only Linux can; elsewhere it merely checks once, so use `watch_parent` as well.

    Args:
        parent: Process id of the parent, passed on by the parent itself.
        signum: What to send.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != parent:  # it died before the call
        os.kill(os.getpid(), signum)


def watch_parent(parent: int) -> threading.Thread:
    """Start a thread that ends this process within seconds of its parent's death.

    Args:
        parent: Process id of the parent, passed on by the parent itself.
    """

    def look() -> None:
        while os.getppid() == parent:
            pause.wait(CHECK_S)
        os._exit(1)  # without clean-up: every file is written so that a kill harms none

    pause = threading.Event()
    thread = threading.Thread(target=look, name="parent-watch", daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    # A script's background commands ignore SIGINT, which everything they start inherits.
    for asking in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asking, signal.SIG_DFL)
    signal_on_parents_death(int(sys.argv[1]), signal.SIGTERM)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is the point
