"""Cattery's own processes, on a disk that can be full and with every training step in the history.

`python -m benchmarks.chaos.faults serve|worker` runs one; job processes run this module, too. The
disk is full for all of them, without a quota or a mount that would need the rights of root: while
the file that CHAOS_FULL names exists, nothing is written whole to the store.
"""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import models.store.store
import worker.job_process
import worker.main
from app.cli.root import commands, run
from models.store import journal
from models.store.local_tree import LocalTree
from models.store.tree import reported
from worker.rq_worker import CatteryWorker
from worker.settings import WorkerSettings

FULL = "CHAOS_FULL"


class FaultyWorker(CatteryWorker):
    """A worker whose job processes run this module."""

    child_module: ClassVar[str] = "benchmarks.chaos.faults"


class FillingTree(LocalTree):
    """A folder on a disk that is full while the file named by CHAOS_FULL exists."""

    def append(self, path: str, data: bytes) -> None:
        """Append, or half of it on a full disk."""
        if not _is_full():
            super().append(path, data)
            return
        with reported("append to", path):
            with (self.root / path).open("ab") as log:
                log.write(data[: len(data) // 2])
            raise _no_space()

    def _place(
        self, path: str, fill: Callable[[Path], None], settle: Callable[[Path, Path], object]
    ) -> None:
        def fill_or_fail(temporary: Path) -> None:
            if _is_full():
                raise _no_space()
            fill(temporary)

        super()._place(path, fill_or_fail, settle)


def main() -> None:
    """Run one process of Cattery under the faults."""
    vars(models.store.store)["LocalTree"] = FillingTree
    journal.PROGRESS_S = 0.0  # every step, so that the steps of two runs can be compared
    match sys.argv[1]:
        case "worker":
            run(_work)
        case "serve":
            run(commands)
        case _:
            worker.job_process.main()


def _work() -> None:
    from benchmarks.chaos import faults  # importable, as RQ wants its classes to be

    worker.main.main(WorkerSettings(), faults.FaultyWorker)


def _is_full() -> bool:
    return Path(os.environ[FULL]).exists()  # noqa: TID251 - no setting of Cattery's


def _no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


if __name__ == "__main__":
    main()
