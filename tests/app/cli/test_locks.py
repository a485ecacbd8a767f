"""Data folder and address belong to one service."""

import re
import socket
import subprocess
import sys

import pytest

from app.cli.locks import DataFolderInUse, StartError, address_of, claimed, listening_socket


def test_a_held_folder_tells_who_holds_it(tmp_path):
    with claimed(tmp_path) as claim:
        claim.record("http://127.0.0.1:8000")
        expected = r"already running on http://127.0.0.1:8000 \(pid \d+\)"
        with pytest.raises(StartError, match=expected), claimed(tmp_path):
            pass


def test_services_with_a_shared_queue_share_a_folder(tmp_path):
    """Each keeps out a service that needs the folder alone, which keeps them out in turn."""
    with claimed(tmp_path, is_shared=True) as one, claimed(tmp_path, is_shared=True):
        one.record("http://127.0.0.1:8000")
        expected = f"is already running on the data folder {re.escape(str(tmp_path))}."
        with pytest.raises(DataFolderInUse, match=expected), claimed(tmp_path):
            pass
    refused = pytest.raises(DataFolderInUse, match="CATTERY_REDIS_URL")
    with claimed(tmp_path), refused, claimed(tmp_path, is_shared=True):
        pass


def test_a_folder_is_free_again_after_its_holder(tmp_path):
    for _ in range(2):
        with claimed(tmp_path):
            pass
    assert (tmp_path / "cattery.lock").read_text() == ""


def test_a_killed_holder_holds_nothing(tmp_path):
    code = (
        "import sys, os, signal; from pathlib import Path; from app.cli.locks import claimed\n"
        "with claimed(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    assert ended.returncode == -9
    with claimed(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="CATTERY_DATA"), claimed(tmp_path / "file" / "data"):
        pass


def test_a_taken_port_is_refused():
    with listening_socket("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(StartError, match=f"Port {port} of 127.0.0.1 is in use"):
            listening_socket("127.0.0.1", port)


def test_a_socket_listens_before_the_service_runs():
    """A caller that comes early waits instead of being refused."""
    with (
        listening_socket("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname(), timeout=1),
    ):
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("host", ["no such host", "203.0.113.7"])
def test_a_host_that_is_not_this_machine_is_refused(host):
    with pytest.raises(StartError, match="--host"):
        listening_socket(host, 0)


def test_an_open_socket_is_told_as_one_can_type_it():
    """Bound to all addresses, the address shown is one that a browser takes."""
    with listening_socket("0.0.0.0", 0) as listener:  # noqa: S104 - closed at once
        assert address_of(listener).startswith("http://127.0.0.1:")
