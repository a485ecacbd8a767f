"""The processes beside the API: started first, kept running, ended last."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

from models.errors import CatteryError

LOOK_EVERY_S = 0.25
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0
"""What ran for so long starts again after the first pause, not after a longer one."""


class Child(Protocol):
    """A process that can be started again."""

    @property
    def name(self) -> str:
        """What it is, in a word."""

    def start(self) -> None:
        """Start it; it must not run."""

    def alive(self) -> bool:
        """Return whether it runs."""

    def stop(self) -> None:
        """Ask it to end and wait until it has; does nothing for one that has ended."""


class Queue:
    """The embedded Valkey as a child process.

    Args:
        folder: Where its files lie.
    """

    name = "queue"

    def __init__(self, folder: Path) -> None:
        from worker.valkey import EmbeddedValkey

        self._valkey = EmbeddedValkey(folder)

    @property
    def url(self) -> str:
        """The URL to reach it by, once it has started."""
        return self._valkey.url

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._valkey.start()

    def alive(self) -> bool:
        """Return whether it runs."""
        return self._valkey.alive()

    def stop(self) -> None:
        """Let it write its data out and end."""
        self._valkey.stop()


class Program:
    """A command of ours as a child process.

    It leads a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone.

    Args:
        name: What it is, in a word or two.
        words: The command with its options; it is told its parent's id.
        variables: Says, when it starts, what is added to its environment.
        grace_s: How long it may take to end when it is told to, seconds.
        descriptors: Open files that it inherits.
    """

    def __init__(
        self,
        name: str,
        *words: str,
        variables: Callable[[], Mapping[str, str]],
        grace_s: float,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._words = words
        self._variables = variables
        self._grace_s = grace_s
        self._descriptors = tuple(descriptors)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        # By the environment, since anyone on this machine may read a process's arguments.
        environment = {**os.environ, **self._variables()}  # noqa: TID251 - handed on, not read
        # -P: a folder named `app` where the user happens to stand is not ours.
        command = [sys.executable, "-P", "-m", "app.cli", *self._words]
        self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [*command, "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=self._descriptors,
            start_new_session=True,
        )

    def alive(self) -> bool:
        """Return whether it runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Tell it to end and wait; kill it when it takes too long."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(self._grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class Keeper:
    """Starts children in order, starts again what ends, and ends them in reverse order.

    All of it happens in one thread, since a child may be tied to the life of the thread that
    started it (`worker.parent_watch`), and this one lives until the last child has ended.

    Args:
        children: In the order in which they start.
        report: Told what happened, a sentence.
        at_once: Whether they end at the same time, for none needs another.
    """

    def __init__(
        self,
        children: Sequence[Child],
        report: Callable[[str], None],
        *,
        at_once: bool = False,
    ) -> None:
        self._at_once = at_once
        self._kept = [_Kept(child, report) for child in children]
        self._started: SimpleQueue[Exception | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper")

    def start(self) -> None:
        """Start all children and watch over them from now on.

        Raises:
            CatteryError, OSError: One did not start; those before it have been ended.
        """
        self._thread.start()
        error = self._started.get()
        if error is not None:
            self._thread.join()
            raise error

    def stop(self) -> None:
        """End all children, the last one first, and wait until they have ended."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with ExitStack() as running:
            try:
                for kept in self._kept:
                    kept.child.start()
                    running.callback(kept.child.stop)
            except Exception as err:  # noqa: BLE001 - raised again in `start`
                self._started.put(err)
                return
            self._started.put(None)
            while not self._stopping.wait(LOOK_EVERY_S):
                for kept in self._kept:
                    kept.look(time.monotonic())
            if self._at_once:
                with ThreadPoolExecutor(len(self._kept)) as ending:
                    ending.map(lambda kept: kept.child.stop(), self._kept)


class _Kept:
    """One child under watch."""

    def __init__(self, child: Child, report: Callable[[str], None]) -> None:
        self.child = child
        self._report = report
        self._pause_s = FIRST_PAUSE_S
        self._started_at = time.monotonic()
        self._start_at: float | None = None

    def look(self, now: float) -> None:
        """Start the child again when it has ended and its pause is over."""
        if self.child.alive():
            if now - self._started_at > HEALTHY_AFTER_S:
                self._pause_s = FIRST_PAUSE_S
        elif self._start_at is None:
            self._report(f"The {self.child.name} ended; starting it again in {self._pause_s:g} s.")
            self._start_at = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        elif now >= self._start_at:
            self._restart(now)

    def _restart(self, now: float) -> None:
        self._start_at = None
        self._started_at = now
        try:
            self.child.stop()  # lets go of what the ended process has left
            self.child.start()
        except (OSError, CatteryError) as err:
            self._report(f"The {self.child.name} could not be started: {err}")
