"""Tests of worker.webhook_delivery over real sockets."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time

import pytest

from models.errors import InvalidValue
from tests.worker.receiver import receiving
from worker.errors import WebhookFailed
from worker.webhook_delivery import deliver, signed

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
HERE = ["127.0.0.1"]


def test_the_signature_is_that_of_the_standard():
    """The example of the Standard Webhooks specification's libraries."""
    headers = signed(
        b'{"test": 2432232314}',
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        1614265330,
    )
    assert headers["Webhook-Timestamp"] == "1614265330"
    assert headers["Webhook-Signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_notice_arrives_signed():
    body = json.dumps({"type": "job.finished"}).encode()
    with receiving() as receiver:
        headers = signed(body, "msg_1", SECRET, time.time())
        assert deliver(f"{receiver.url}hook?a=1", body, headers, HERE) == 200
    ((path, came, content),) = receiver.came
    assert (path, content) == ("/hook?a=1", body)
    message = f"{came['webhook-id']}.{came['webhook-timestamp']}.".encode() + content
    digest = hmac.digest(bytes(range(32)), message, hashlib.sha256)
    assert came["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status):
    """They would lead past the check of the address."""
    with receiving() as receiver:
        receiver.answers.append(status)
        assert deliver(receiver.url, b"{}", {}, HERE) == status
    assert [path for path, *_ in receiver.came] == ["/"]


def test_nothing_is_sent_to_this_machine_unless_it_is_allowed(monkeypatch):
    """Neither by its address nor by a name that means it, however the name is resolved."""
    with receiving() as receiver:
        with pytest.raises(InvalidValue):
            deliver(receiver.url, b"{}", {})
        name = receiver.url.replace("127.0.0.1", "localhost").replace("http:", "https:")
        with pytest.raises(Exception, match="not public"):
            deliver(name, b"{}", {})
    assert receiver.came == []


def drip(listener: socket.socket, opening: bytes) -> None:
    """Answer one connection with a byte every 50 ms, without end."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(5)
        try:
            connection.sendall(opening)
            while True:
                connection.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            return


@pytest.mark.parametrize("opening", [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nA: "])
def test_a_receiver_that_drips_is_cut_off_in_time(opening):
    """Each byte restarts the timeout of a socket; the limit of the delivery stays."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener, opening), daemon=True)
        thread.start()
        began = time.monotonic()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(WebhookFailed):
            deliver(url, b"{}", {}, HERE, timeout_s=0.5)
        assert time.monotonic() - began < 3
    thread.join(6)


def test_a_receiver_that_is_not_there_or_says_nonsense_has_failed():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(WebhookFailed):
            deliver(url, b"{}", {}, HERE, timeout_s=0.3)
    with pytest.raises(WebhookFailed, match="127"):
        deliver(url, b"{}", {}, HERE, timeout_s=0.3)
