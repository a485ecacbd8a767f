"""Processes that end with the one that started them.

Run as a script, `parent_watch.py PARENT_PID PROGRAM ARGUMENTS...` becomes PROGRAM, which
then ends with its parent. The script imports the standard library alone, so that it
starts in a few milliseconds and works from any folder.
"""

import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1
LOOK_EVERY_S = 1.0


def signal_on_parents_death(parent: int, signum: signal.Signals) -> None:
    """Ask the kernel to signal this process when the thread that started it ends.

    Does nothing but look once where the kernel cannot do that (it is a Linux call), so
    use `watch_parent` as well where the end must be certain.

    Args:
        parent: Process id of the parent, as the parent itself told it.
        signum: What to send.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != parent:  # it died before we could ask
        os.kill(os.getpid(), signum)


def watch_parent(parent: int) -> threading.Thread:
    """Start a thread that ends this process within seconds of its parent's death.

    Args:
        parent: Process id of the parent, as the parent itself told it.
    """

    def look() -> None:
        while os.getppid() == parent:
            pause.wait(LOOK_EVERY_S)
        os._exit(1)  # without clean-up: every file is written so that a kill harms none

    pause = threading.Event()
    thread = threading.Thread(target=look, name="parent-watch", daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    signal_on_parents_death(int(sys.argv[1]), signal.SIGTERM)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is the point
