"""The load: wrk with a script of ours, and single requests to look at."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks.serving.contenders import Call
from benchmarks.serving.processes import pinned

SCRIPT = Path(__file__).parent / "load.lua"
MARK = "RESULT "
TIMEOUT_S = 60
SEEDS_A_LOAD = 2**40
"""Each load has seeds of its own, its threads 2**28 apart: no cat is asked for twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one run of wrk came to.

    Attributes:
        seconds: How long it took.
        requests: Answers that came whole, of any status.
        p50_ms: Median time of an answer; None if none came.
        p99_ms: Likewise.
        refused: Answers of status 400 or more.
        broken: Connections that failed, and answers later than `TIMEOUT_S`.
        client_cores: Processor seconds a second that wrk itself used.
    """

    seconds: float
    requests: int
    p50_ms: float | None
    p99_ms: float | None
    refused: int = 0
    broken: int = 0
    client_cores: float = 0.0

    @property
    def errors(self) -> int:
        """All requests that did not get what they asked for."""
        return self.refused + self.broken

    @property
    def good_per_s(self) -> float:
        """Answers a second, but for those that tell of an error."""
        return (self.requests - self.refused) / self.seconds


@dataclass(slots=True)
class Client:
    """wrk on its cores.

    Attributes:
        wrk: The program; its libraries may lie beside it.
        cores: Where it runs.
        loads: How many it has made.
    """

    wrk: Path
    cores: Collection[int]
    loads: int = 0

    def load(self, port: int, call: Call, clients: int, seconds: float, *, step: int = 1) -> Load:
        """Ask without a pause, each client for one answer at a time.

        Args:
            port: Of the server.
            call: What is asked.
            clients: Connections.
            seconds: For how long; wrk takes whole ones.
            step: Seeds that a request takes.
        """
        self.loads += 1
        threads = min(clients, len(self.cores))
        words = [f"-t{threads}", f"-c{clients}", f"-d{max(1, round(seconds))}s"]
        words += [f"--timeout={TIMEOUT_S}s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--"]
        # Modulo, so that all stay below the largest seed.
        first = (self.loads % 4096) * SEEDS_A_LOAD
        words += [call.method, call.path, call.body, str(first), str(step)]
        with pinned(self.cores):
            said, client_cores = self._run(words)
        return parsed(said, client_cores)

    def _run(self, words: list[str]) -> tuple[str, float]:
        libraries = {"LD_LIBRARY_PATH": str(self.wrk.parent)} if self.wrk.parent.name else {}
        environment = {**os.environ, **libraries}  # noqa: TID251 - handed on, not read
        began = time.perf_counter()
        command = [str(self.wrk), *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        said = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        used_s = usage.ru_utime + usage.ru_stime
        return said, used_s / (time.perf_counter() - began)


def parsed(said: str, client_cores: float = 0.0) -> Load:
    """Read what wrk printed; end the command if our script's line is missing.

    Args:
        said: All of it.
        client_cores: What the run used.
    """
    lines = [line for line in said.splitlines() if line.startswith(MARK)]
    if len(lines) != 1:
        sys.exit(f"wrk said nothing that can be read:\n{said}")
    told = json.loads(lines[0].removeprefix(MARK))
    has_answers = told["requests"] > 0
    return Load(
        seconds=told["duration_us"] / 1e6,
        requests=told["requests"],
        p50_ms=told["p50_us"] / 1e3 if has_answers else None,
        p99_ms=told["p99_us"] / 1e3 if has_answers else None,
        refused=told["status"],
        broken=sum(told[kind] for kind in ("connect", "read", "write", "timeout")),
        client_cores=client_cores,
    )


def find_wrk(given: Path | None, wheels: Path | None) -> Path:
    """Return the program: the one named, the one carried with the wheels, or the machine's."""
    carried = wheels / "wrk" if wheels is not None else None
    found = given or (carried if carried and carried.exists() else None) or shutil.which("wrk")
    if found is None:
        sys.exit("There is no wrk here: `apt-get install wrk`, or name it with --wrk.")
    return Path(found).resolve()


def ask(port: int, call: Call, timeout_s: float = TIMEOUT_S) -> bytes | None:
    """Return the body of one answer; None if there was none, or one of an error."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    headers = {"Content-Type": "application/json"} if call.body else {}
    try:
        connection.request(call.method, call.path, call.body or None, headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    return body if answer.status == 200 else None
