"""The embedded Valkey, with the real server."""

import os
import signal
import stat
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
import redis

from tests.worker.waiting import is_running, until
from worker.errors import EmbeddedValkeyError
from worker.redis_client import connect
from worker.valkey import EmbeddedValkey

OWNER = """
import sys, time
from pathlib import Path
from worker.valkey import EmbeddedValkey
server = EmbeddedValkey(Path(sys.argv[1])).start()
print(server._process.pid, flush=True)
time.sleep(60)
"""


def test_the_socket_is_private_and_there_is_no_tcp_port(tmp_path: Path):
    """Nobody but the owner's processes can reach it, even in a folder with a space and a %."""
    with EmbeddedValkey(tmp_path / "my %20 data") as server:
        with closing(connect(server.url)) as client:
            options = client.config_get("*")
            socket = Path(client.connection_pool.connection_kwargs["path"])
        told = {"port": "0", "maxmemory-policy": "noeviction", "appendonly": "yes"}
        assert told.items() <= options.items()
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert not socket.exists()


def test_what_was_written_is_there_after_a_restart(tmp_path: Path):
    for turn in range(3):
        with EmbeddedValkey(tmp_path) as server, closing(connect(server.url)) as client:
            assert client.incr("turns") == turn + 1
        assert not server.alive()


def test_a_folder_too_deep_for_a_socket_gets_one_elsewhere(tmp_path: Path):
    """The 100 bytes of a socket path are no limit to the data folder, and nothing is left."""
    with EmbeddedValkey(tmp_path / ("deep" * 30)) as server, closing(connect(server.url)) as client:
        assert client.ping()
        socket = Path(client.connection_pool.connection_kwargs["path"])
    assert not socket.parent.exists()


def test_a_second_one_in_the_same_folder_is_refused(tmp_path: Path, monkeypatch):
    """Two servers never write one file."""
    monkeypatch.setattr("worker.valkey.LOCK_WAIT_S", 0.1)
    with EmbeddedValkey(tmp_path) as server:
        with pytest.raises(EmbeddedValkeyError, match="Another Cattery is using"):
            EmbeddedValkey(tmp_path).start()
        with closing(connect(server.url)) as client:
            assert client.ping()


def test_it_ends_with_a_killed_owner_and_starts_again_over_the_stale_socket(tmp_path: Path):
    """SIGKILL of the owner leaves no server behind, and its socket is no obstacle."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with owner:
        server_pid = int(owner.stdout.readline())
        (tmp_path / "stale").touch()
        owner.send_signal(signal.SIGKILL)
    until(lambda: not is_running(server_pid), 10, "the server ends with its owner")
    (tmp_path / "valkey.sock").touch()
    with EmbeddedValkey(tmp_path) as server:
        assert server.alive()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedValkeyError, match=r"file.*CATTERY_DATA"):
        EmbeddedValkey(tmp_path / "file").start()


def test_a_damaged_file_is_told_in_one_line(tmp_path: Path):
    with EmbeddedValkey(tmp_path) as server, closing(connect(server.url)) as client:
        client.set("a", "b")
    for file in (tmp_path / "appendonlydir").glob("*.aof"):
        file.write_bytes(b"*1\r\n$3\r\nfoo\r\n*9\r\n" + os.urandom(64))
    server = EmbeddedValkey(tmp_path)
    with pytest.raises(EmbeddedValkeyError, match="did not start"):
        server.start()
    assert not server.alive()


def test_ended_by_others_it_is_not_alive(tmp_path: Path):
    with EmbeddedValkey(tmp_path) as server:
        with suppress(redis.ConnectionError), closing(connect(server.url)) as client:
            client.execute_command("SHUTDOWN", "NOSAVE")  # the error is the answer to it
        until(lambda: not server.alive(), 5, "it is seen to be dead")
