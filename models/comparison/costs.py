"""The costs of a run in time and memory."""

import gc
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

OF_GPU = "the GPU's memory in tensors (torch.cuda.max_memory_allocated)"
OF_RUN = "the process's memory during the recipe (VmHWM, reset before each)"
OF_PROCESS = "the process's memory since its start (ru_maxrss): of this or any earlier recipe"

PROC = Path("/proc/self")
RESET_PEAK = "5"  # written to clear_refs, resets VmHWM to what is in use now; see proc(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a run took.

    Attributes:
        wall_s: Seconds from start to end, preparation and evaluation included.
        peak_bytes: Peak memory.
        peak_of: Of which memory, in words.
    """

    wall_s: float
    peak_bytes: int
    peak_of: str


class Meter:
    """Measures one run after another in this process.

    On a GPU that is what its tensors hold; on a CPU the memory of the whole process, with some
    300 MB for Python and PyTorch themselves.
    """

    def __init__(
        self, device: torch.device, clock: Callable[[], float] = time.monotonic, proc: Path = PROC
    ) -> None:
        self.device = device
        self._clock, self._proc = clock, proc
        self._begun, self._is_reset = clock(), False

    def start(self) -> None:
        """Start measuring; what earlier runs left behind does not count."""
        gc.collect()  # an earlier trainer in a reference cycle would count as this run's
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            self._is_reset = self._reset_peak()
        self._begun = self._clock()

    def read(self) -> Costs:
        """Return the costs since the start."""
        peak_bytes, peak_of = self._peak()
        return Costs(wall_s=self._clock() - self._begun, peak_bytes=peak_bytes, peak_of=peak_of)

    def _reset_peak(self) -> bool:
        try:
            (self._proc / "clear_refs").write_text(RESET_PEAK)
        except OSError:  # no Linux, or a container that forbids it
            return False
        return True

    def _peak(self) -> tuple[int, str]:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device), OF_GPU
        peak = self._high_water() if self._is_reset else None
        return (_of_process(), OF_PROCESS) if peak is None else (peak, OF_RUN)

    def _high_water(self) -> int | None:
        lines = (self._proc / "status").read_text().splitlines()
        sizes = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
        return next((1024 * int(size) for size in sizes), None)


def _of_process() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # bytes on macOS, KiB elsewhere
