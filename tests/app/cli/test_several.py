"""Several front ends listen at one address, and end together."""

import select
import socket
import threading

import pytest

from app.cli.locks import StartError
from app.cli.several import listening_sockets
from app.cli.supervisor import Keeper

WAIT_S = 10.0


def test_front_ends_share_an_address():
    """Each has a socket of its own on one port, and every caller reaches one of them."""
    listeners = listening_sockets("127.0.0.1", 0, 3)
    address = listeners[0].getsockname()
    assert {each.getsockname() for each in listeners} == {address}
    assert len({each.fileno() for each in listeners}) == 3
    with socket.create_connection(address, WAIT_S):
        assert len(select.select(listeners, [], [], WAIT_S)[0]) == 1
    for each in listeners:
        each.close()


def test_one_front_end_has_the_address_alone():
    """Nobody else can join it there."""
    (listener,) = listening_sockets("127.0.0.1", 0, 1)
    with listener, pytest.raises(StartError, match="is in use by another program"):
        listening_sockets("127.0.0.1", listener.getsockname()[1], 2)


def test_another_services_front_ends_are_not_joined():
    """An address that can be shared is still taken: callers must not reach a stranger."""
    one, other = listening_sockets("127.0.0.1", 0, 2)
    with one, other, pytest.raises(StartError, match="is in use by another program"):
        listening_sockets("127.0.0.1", one.getsockname()[1], 2)


def test_children_that_need_no_other_end_at_once():
    """The end takes as long as the slowest of them, not as all together."""
    together = threading.Barrier(3)

    class Slow:
        name = "front end"
        is_up = False

        def start(self):
            """Come up."""
            self.is_up = True

        def alive(self):
            """Return whether it is up."""
            return self.is_up

        def stop(self):
            """Go down with the others; the second call is for one that is down."""
            if self.is_up:
                together.wait(WAIT_S)
            self.is_up = False

    children = [Slow() for _ in range(3)]
    keeper = Keeper(children, lambda _: None, at_once=True)
    keeper.start()
    keeper.stop()
    assert not together.broken
    assert not any(child.is_up for child in children)
