"""The training processes, and the lock that they inherit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.locks import StartError
from tests.worker.waiting import until
from tools.zoo.children import start_cattery, starter, zoo_lock
from tools.zoo.planning import train_arguments
from tools.zoo.table import EDITIONS


def test_the_lock_lasts_until_the_last_child_has_exited(tmp_path):
    """Children of a killed `train` still save their state."""
    with zoo_lock(tmp_path) as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock]
        )
    with pytest.raises(StartError, match=f"pid {os.getpid()}, or its children"), zoo_lock(tmp_path):
        pass
    child.communicate(b"\n")
    with zoo_lock(tmp_path):
        pass


def test_a_log_has_the_command_and_its_output(tmp_path):
    """The command is this checkout's, wherever it was started from."""
    log = tmp_path / "logs" / "tabby.log"
    with zoo_lock(tmp_path) as lock:
        assert start_cattery(["--version"], log, {}, lock).wait(60.0) == 0
    command, output = log.read_text(encoding="utf-8").splitlines()
    assert command == "$ cattery --version"
    assert output.startswith("cattery ")


def test_a_child_can_be_terminated_from_its_start_on(tmp_path):
    """Even before it handles signals itself."""
    with zoo_lock(tmp_path) as lock:
        child = start_cattery(["doctor"], tmp_path / "log", {}, lock)
        assert child.poll() is None
        child.terminate()
        assert child.wait(60.0) == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_child_hears_both_signals_though_a_script_ignored_one(tmp_path, signum):
    """What a shell script starts in the background inherits an ignored SIGINT."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with zoo_lock(tmp_path) as lock:
            child = start_cattery(["worker"], tmp_path / "log", {"CATTERY_REDIS_URL": ""}, lock)
    finally:
        signal.signal(signal.SIGINT, before)
    status = Path(f"/proc/{child.pid}")

    def is_cattery() -> bool:
        command = (status / "cmdline").read_bytes()  # empty for a moment while a program starts
        return bool(command) and b"parent_watch" not in command

    until(is_cattery, 30, "it is Cattery")
    ignored = next(
        int(line.split()[1], 16)
        for line in (status / "status").read_text().splitlines()
        if line.startswith("SigIgn")
    )
    assert not ignored >> (signum - 1) & 1
    child.send_signal(signum)
    assert child.wait(60.0) != 0


def test_an_entry_is_trained_or_its_job_resumed(tmp_path, monkeypatch):
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr("tools.zoo.children.start_cattery", lambda *args: calls.append(args))
    entry, environment = EDITIONS["toy"][0], {"CATTERY_THREADS": "1"}
    start = starter(tmp_path, environment, 7)
    start(entry, None)
    start(entry, "one")
    log = tmp_path / "dcgan-32.log"
    assert calls == [
        (train_arguments(entry), log, environment, 7),
        (["train", "--resume", "one"], log, environment, 7),
    ]


def test_a_data_folder_that_cannot_be_created_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="CATTERY_DATA"), zoo_lock(tmp_path / "file"):
        pass
