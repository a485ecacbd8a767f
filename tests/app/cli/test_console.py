"""Signals of the commands in the foreground."""

import signal
import subprocess
import sys

import pytest

WAIT = """
import time
from app.cli.console import interruptible
with interruptible() as stopped:
    print("ready", flush=True)
    while not stopped():  # not signal.pause: the signal may come just before it
        time.sleep(0.01)
    print("asked", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_one_stops_even_where_a_script_ignored_it(number):
    """What a shell script starts in the background inherits an ignored SIGINT."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = [sys.executable, "-c", WAIT]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    with child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        assert child.stdout.readline() == "asked\n"
        child.send_signal(number)
        assert child.wait(30) == -number
