"""Tests of app.hosting.sockets."""

import socket
import stat

from app.hosting.sockets import LONGEST_PATH, figures_of, is_answered, private_folder


def test_the_folder_is_private_and_empty(tmp_path, folder):
    """Nobody else can open it, what a kill left in it is gone, and it goes in the end."""
    left = folder / "sockets" / "left"
    left.parent.mkdir()
    left.touch()
    with private_folder(folder) as private:
        assert private.parent == folder.resolve()
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert list(private.iterdir()) == []
        (private / "more").touch()
    assert list(folder.iterdir()) == []


def test_a_long_path_is_avoided(tmp_path):
    """A data folder deep down gets its sockets where the kernel takes their paths."""
    deep = tmp_path / ("d" * LONGEST_PATH)
    with private_folder(deep) as private:
        assert not private.is_relative_to(deep)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert len(str(private / figures_of(63))) <= LONGEST_PATH
    assert not private.exists()


def test_a_socket_is_answered_while_somebody_listens(folder):
    """A file that is left behind is no answer."""
    path = folder / "one"
    assert not is_answered(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert is_answered(path)
    assert path.exists()
    assert not is_answered(path)
