"""How the interpreter shares itself out in a process that answers requests."""

import gc
import sys

SWITCH_S = 0.0005
"""How long a thread may keep the interpreter from others that want it, seconds; Python's own is
ten times as long. Lanes want it for a few microseconds between two layers, the event loop between
two batches."""


def share_often() -> None:
    """Have threads hand the interpreter on more often."""
    sys.setswitchinterval(SWITCH_S)


def spare_what_stays() -> None:
    """Let the garbage collector pass over all that is there now.

    PyTorch and the framework are some hundred thousand objects that stay to the end. To look
    through them held everybody up for a tenth of a second, every few seconds.
    """
    gc.collect()
    gc.freeze()
