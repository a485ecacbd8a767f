"""The processes beside the API: started first, restarted when they exit, stopped last."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Protocol

from models.errors import CatteryError

POLL_S = 0.25
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0
"""A child that ran for this long is restarted after the first pause again."""


class Child(Protocol):
    """A process that can be restarted."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def start(self) -> object:
        """Start it; it must not be running."""

    def alive(self) -> bool:
        """Return whether it is running."""

    def stop(self) -> None:
        """Ask it to exit and wait until it has; does nothing for one that has exited."""


class Worker:
    """`cattery worker` as a child process.

    It leads a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone.

    Args:
        redis_url: Returns the URL of its queue, which may be known only once the queue runs.
        grace_s: Time to exit after SIGTERM, seconds; then it is killed.
    """

    name = "worker"

    def __init__(self, redis_url: Callable[[], str], grace_s: float) -> None:
        self._redis_url = redis_url
        self._grace_s = grace_s
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        from worker.protocol import without_key

        # In the environment: any user of this machine can read a process's arguments.
        url = {"CATTERY_REDIS_URL": self._redis_url()}
        environment = without_key(os.environ) | url  # noqa: TID251 - passed on, not read
        # -P: a folder named `app` in the current directory must not shadow ours.
        command = [sys.executable, "-P", "-m", "app.cli", "worker", "--parent", str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            command, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )

    def alive(self) -> bool:
        """Return whether it is running."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Send SIGTERM and wait; kill it after the grace period."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(self._grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class Supervisor:
    """Starts children in order, restarts those that exit, and stops them in reverse order.

    All of it happens in one thread, since a child may be tied to the life of the thread that
    started it (`worker.parent_watch`), and this one lives until the last child has exited.

    Args:
        children: In the order in which they start.
        report: Called with one sentence per restart.
    """

    def __init__(self, children: Sequence[Child], report: Callable[[str], None]) -> None:
        self._watched = [_Watched(child, report) for child in children]
        # One item when all have started, or why one did not: `start` raises it in its own thread.
        self._started: SimpleQueue[Exception | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor")

    def start(self) -> None:
        """Start all children and watch over them from now on.

        Raises:
            CatteryError, OSError: One did not start; those before it have been stopped.
        """
        self._thread.start()
        error = self._started.get()
        if error is not None:
            self._thread.join()
            raise error

    def stop(self) -> None:
        """Stop all children, the last one first, and wait until they have exited."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with ExitStack() as running:
            try:
                for watched in self._watched:
                    watched.child.start()
                    running.callback(watched.child.stop)
            except Exception as err:  # noqa: BLE001 - raised again in `start`
                self._started.put(err)
                return
            self._started.put(None)
            while not self._stopping.wait(POLL_S):
                for watched in self._watched:
                    watched.check(time.monotonic())


class _Watched:
    """One child and when to restart it."""

    def __init__(self, child: Child, report: Callable[[str], None]) -> None:
        self.child = child
        self._report = report
        self._pause_s = FIRST_PAUSE_S
        self._started_at = time.monotonic()
        self._start_at: float | None = None

    def check(self, now: float) -> None:
        """Restart the child when it has exited and its pause is over."""
        if self.child.alive():
            if now - self._started_at > HEALTHY_AFTER_S:
                self._pause_s = FIRST_PAUSE_S
        elif self._start_at is None:
            self._report(f"The {self.child.name} exited; restarting it in {self._pause_s:g} s.")
            self._start_at = now + self._pause_s
            # Doubled: a child that fails at once would otherwise fill the log.
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        elif now >= self._start_at:
            self._restart(now)

    def _restart(self, now: float) -> None:
        self._start_at = None
        self._started_at = now
        try:
            self.child.stop()  # releases what the exited process left behind
            self.child.start()
        except (OSError, CatteryError) as err:  # the next check counts it as exited again
            self._report(f"The {self.child.name} could not be restarted: {err}")
