"""The embedded Valkey, with the real server."""

import errno
import os
import signal
import socket
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
            path = Path(client.connection_pool.connection_kwargs["path"])
        told = {"port": "0", "maxmemory-policy": "noeviction", "appendonly": "yes"}
        assert told.items() <= options.items()
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert not path.exists()


def test_what_was_written_is_there_after_a_restart(tmp_path: Path):
    for turn in range(3):
        with EmbeddedValkey(tmp_path) as server, closing(connect(server.url)) as client:
            assert client.incr("turns") == turn + 1
        assert not server.alive()


def test_a_folder_too_deep_for_a_socket_gets_one_elsewhere(tmp_path: Path):
    """The 100 bytes of a socket path are no limit to the data folder, and nothing is left."""
    with EmbeddedValkey(tmp_path / ("deep" * 30)) as server, closing(connect(server.url)) as client:
        assert client.ping()
        path = Path(client.connection_pool.connection_kwargs["path"])
    assert not path.parent.exists()


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


def pad(files, manifest):
    """Add what a power cut leaves of blocks that were allocated and not written."""
    with files[-1].open("ab") as file:
        file.write(bytes(512))


def tear(files, manifest):
    files[-1].write_bytes(files[-1].read_bytes()[:-3] + b"*1\r\n$3\r\nfoo\r\n*9\r\n")


def fill(files, manifest):
    for file in files:
        file.write_bytes(os.urandom(64))


def lose(files, manifest):
    files[0].unlink()


def spoil_manifest(files, manifest):
    manifest.write_bytes(bytes(128))


@pytest.mark.parametrize("damage", [pad, tear, fill, lose, spoil_manifest])
def test_a_damaged_file_is_moved_aside_and_it_starts_empty(tmp_path: Path, damage, caplog):
    """What may be lost never keeps it from starting; what was there is kept, and it is told."""
    folder = tmp_path / "valkey"
    with EmbeddedValkey(folder) as server, closing(connect(server.url)) as client:
        client.set("a", "b")
        client.bgrewriteaof()
        until(lambda: not client.info()["aof_rewrite_in_progress"], 10, "it is rewritten")
        client.set("c", "d")
    files = sorted((folder / "appendonlydir").glob("*.*.???"))
    assert len(files) == 2
    damage(files, next((folder / "appendonlydir").glob("*.manifest")))
    with EmbeddedValkey(folder) as server, closing(connect(server.url)) as client:
        assert client.dbsize() == 0
        client.set("e", "f")
    assert (folder / "damaged" / "appendonlydir").is_dir()
    assert "valkey/damaged" in server.note
    assert server.note in caplog.text
    with EmbeddedValkey(folder) as again, closing(connect(again.url)) as client:
        assert (client.get("e"), again.note) == (b"f", "")


def test_a_file_that_ends_in_the_middle_loses_its_end_alone(tmp_path: Path):
    """A crash while it was written: no reason to start empty."""
    with EmbeddedValkey(tmp_path) as server, closing(connect(server.url)) as client:
        client.set("a", "b")
        client.set("c", "d")
    (file,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(file.read_bytes()[:-5])
    with EmbeddedValkey(tmp_path) as server, closing(connect(server.url)) as client:
        assert (client.keys(), server.note) == ([b"a"], "")


def test_files_that_are_not_to_blame_stay_where_they_are(tmp_path: Path, monkeypatch):
    with EmbeddedValkey(tmp_path) as server, closing(connect(server.url)) as client:
        client.set("a", "b")
    with monkeypatch.context() as patch:
        patch.setattr("worker.valkey.get_binary_path", lambda: "/bin/false")
        broken = EmbeddedValkey(tmp_path)
        with pytest.raises(EmbeddedValkeyError, match="did not start"):
            broken.start()
        assert not broken.alive()
    with EmbeddedValkey(tmp_path) as server, closing(connect(server.url)) as client:
        assert (client.get("a"), server.note) == (b"b", "")


def test_a_server_that_ends_before_it_has_files_is_told_so(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("worker.valkey.get_binary_path", lambda: "/bin/false")
    with pytest.raises(EmbeddedValkeyError, match="did not start"):
        EmbeddedValkey(tmp_path).start()


def test_files_are_moved_back_once_nobody_writes_there(tmp_path: Path, monkeypatch):
    """The second server may be slow, not dead: it must not write while its files are replaced."""
    server = EmbeddedValkey(tmp_path)
    (tmp_path / "appendonlydir").mkdir()
    ready = iter(["it is damaged", "too slow"])
    started: list = []

    def spawn():
        (tmp_path / "valkey.log").touch()
        started.append(subprocess.Popen(["/bin/sleep", "0" if not started else "60"]))
        if len(started) == 1:
            started[0].wait()
        return started[-1]

    def move_back(names):
        assert [process.poll() for process in started][1] is not None
        moved.extend(names)

    moved: list[str] = []
    monkeypatch.setattr(server, "_spawn", spawn)
    monkeypatch.setattr(server, "_why_not_ready", lambda _: next(ready))
    monkeypatch.setattr(server, "_move_back", move_back)
    with pytest.raises(EmbeddedValkeyError, match="too slow"):
        server.start()
    assert moved == ["appendonlydir"]


@pytest.fixture
def without_sockets(tmp_path: Path, monkeypatch):
    """Return what makes folders unable to hold sockets, as on exFAT."""
    denied: list[Path] = []

    class Socket(socket.socket):
        def bind(self, address):
            if any(Path(address).is_relative_to(folder) for folder in denied):
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            super().bind(address)

    monkeypatch.setattr("worker.valkey.socket.socket", Socket)
    return denied.append


def test_a_file_system_without_sockets_gets_one_elsewhere(tmp_path: Path, without_sockets):
    without_sockets(tmp_path)
    with EmbeddedValkey(tmp_path) as server, closing(connect(server.url)) as client:
        assert client.ping()
        path = Path(client.connection_pool.connection_kwargs["path"])
        assert not path.is_relative_to(tmp_path)
    assert not path.parent.exists()


def test_nowhere_for_a_socket_is_told_with_what_to_do(tmp_path: Path, without_sockets):
    without_sockets(Path("/"))
    with pytest.raises(EmbeddedValkeyError, match=r"not supported.*TMPDIR"):
        EmbeddedValkey(tmp_path).start()


def test_ended_by_others_it_is_not_alive(tmp_path: Path):
    with EmbeddedValkey(tmp_path) as server:
        with suppress(redis.ConnectionError), closing(connect(server.url)) as client:
            client.execute_command("SHUTDOWN", "NOSAVE")  # the error is the answer to it
        until(lambda: not server.alive(), 5, "it is seen to be dead")
