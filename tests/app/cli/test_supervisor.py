"""Children start in order, come back when they die, and end in reverse order."""

import threading

import pytest

from app.cli.supervisor import Supervisor
from models.errors import StoreError


class Pet:
    """A child without a process: it lives until it is told otherwise."""

    def __init__(self, name, diary, fails=0):
        self.name = name
        self.diary = diary
        self.fails = fails
        self.is_up = False
        self.starts = threading.Semaphore(0)

    def start(self):
        """Come up, unless it is to fail."""
        if self.fails:
            self.fails -= 1
            raise StoreError(f"{self.name} sleeps.")
        self.is_up = True
        self.diary.append((self.name, "start", threading.current_thread().name))
        self.starts.release()

    def alive(self):
        """Return what it was told last."""
        return self.is_up

    def stop(self):
        """Go down."""
        self.is_up = False
        self.diary.append((self.name, "stop", threading.current_thread().name))


def test_children_start_in_order_and_end_in_reverse():
    """The worker ends before the queue that it needs to end well."""
    diary: list[tuple[str, ...]] = []
    supervisor = Supervisor([Pet("queue", diary), Pet("worker", diary)], lambda _: None)
    supervisor.start()
    supervisor.stop()
    expected = [("queue", "start"), ("worker", "start"), ("worker", "stop"), ("queue", "stop")]
    assert expected == [entry[:2] for entry in diary]


def test_a_dead_child_starts_again_in_the_same_thread_and_it_is_told():
    """A child tied to the thread that started it never dies before its turn."""
    told: list[str] = []
    diary: list[tuple[str, ...]] = []
    pet = Pet("worker", diary)
    supervisor = Supervisor([pet], told.append)
    supervisor.start()
    assert pet.starts.acquire(timeout=5)
    pet.is_up = False
    assert pet.starts.acquire(timeout=10)
    supervisor.stop()
    assert told == ["The worker exited; restarting it in 0.5 s."]
    assert {thread for _, _, thread in diary} == {"supervisor"}


def test_a_child_that_fails_to_start_again_is_tried_again():
    told: list[str] = []
    pet = Pet("worker", [])
    supervisor = Supervisor([pet], told.append)
    supervisor.start()
    assert pet.starts.acquire(timeout=5)
    pet.fails = 1
    pet.is_up = False
    assert pet.starts.acquire(timeout=20)
    supervisor.stop()
    assert told == [
        "The worker exited; restarting it in 0.5 s.",
        "The worker could not be restarted: worker sleeps.",
        "The worker exited; restarting it in 1 s.",
    ]


def test_a_first_start_that_fails_ends_those_before_it():
    """When the worker cannot start at all, the queue does not stay behind."""
    diary: list[tuple[str, ...]] = []
    supervisor = Supervisor([Pet("queue", diary), Pet("worker", diary, fails=1)], lambda _: None)
    with pytest.raises(StoreError, match="worker sleeps"):
        supervisor.start()
    assert [entry[:2] for entry in diary] == [("queue", "start"), ("queue", "stop")]
