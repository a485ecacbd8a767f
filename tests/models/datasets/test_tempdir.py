"""What an import builds is gone when it ends, however it ends."""

import signal
import subprocess
import sys

import pytest

from models.datasets.tempdir import PREFIX, workplace

HOLD = """
import sys
from pathlib import Path
from models.datasets.tempdir import workplace
with workplace(Path(sys.argv[1])) as folder:
    (folder / "half.npy").write_bytes(b"half")
    print(folder.parent.name, flush=True)
    sys.stdin.read()
"""


def test_the_folder_goes_with_the_context(cache):
    with workplace(cache) as folder:
        assert list(folder.iterdir()) == []
    with pytest.raises(KeyError), workplace(cache) as folder:
        raise KeyError
    assert list(cache.glob(f"{PREFIX}*")) == []


def test_the_folder_of_a_killed_process_is_swept_and_of_a_living_one_is_not(cache):
    command, pipe = [sys.executable, "-c", HOLD, str(cache)], subprocess.PIPE
    holders = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    try:
        dead, alive = [holder.stdout.readline().strip() for holder in holders]
        holders[0].send_signal(signal.SIGKILL)
        holders[0].wait(10)
        assert (cache / dead / "files" / "half.npy").exists()
        with workplace(cache):
            assert not (cache / dead).exists()
            assert (cache / alive / "files" / "half.npy").exists()
    finally:
        for holder in holders:
            holder.communicate("", timeout=10)
    assert not (cache / alive).exists()
