"""Delivers one notice: signed, to one address, within a time, whatever the other side does."""

import base64
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Sequence

from models.store.records import JobRecord
from worker.errors import WebhookFailed
from worker.webhook_address import Target, parse_url, pinned_address

TIMEOUT_S = 10.0
"""Longest delivery, from connecting to the status of the response, seconds."""

GONE = 410  # the receiver wants no more
SUCCESS = range(200, 300)

Headers = dict[str, str]


def payload_of(record: JobRecord) -> bytes:
    """Return the body of the notice of an ended job."""
    data = {
        "job": record.id,
        "kind": record.kind.value,
        "status": record.status.value,
        "reason": record.reason,
        "model": record.order.get("model"),
        "dataset": record.order.get("dataset") or record.order.get("name"),
        "version": record.version,
        "promoted": record.promoted,
        "created_at": record.created_at,
        "ended_at": record.ended_at,
    }
    document = {"type": f"job.{record.status.value}", "timestamp": record.ended_at, "data": data}
    return json.dumps(document, separators=(",", ":")).encode()


def signed(body: bytes, identifier: str, secret: str, now_s: float) -> Headers:
    """Return the headers of a notice, as the Standard Webhooks specification has them.

    Args:
        body: What is sent.
        identifier: The same for each delivery of a notice, so that receivers can drop repeats.
        secret: Shared with the receiver; "whsec_" and base64, or any text.
        now_s: Time of this delivery, seconds since 1970: receivers refuse old ones.
    """
    stamp = str(int(now_s))
    message = b".".join((identifier.encode(), stamp.encode(), body))
    digest = hmac.digest(_key(secret), message, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "User-Agent": "cattery",
        "Webhook-Id": identifier,
        "Webhook-Timestamp": stamp,
        "Webhook-Signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key(secret: str) -> bytes:
    encoded = secret.removeprefix("whsec_")
    return base64.b64decode(encoded) if encoded != secret else secret.encode()


def deliver(
    url: str,
    body: bytes,
    headers: Headers,
    allowed_hosts: Sequence[str] = (),
    timeout_s: float = TIMEOUT_S,
) -> int:
    """Send a notice and return the status of the response; redirects are not followed.

    Raises:
        InvalidValue: The URL may not be called.
        WebhookRefused: Its host has an address that is not public.
        WebhookFailed: No response in time.
    """
    target = parse_url(url, allowed_hosts)
    deadline = time.monotonic() + timeout_s
    try:
        address = pinned_address(target, allowed_hosts)
        return _exchange(_Pinned(target, address, deadline), target, body, headers, deadline)
    except (OSError, http.client.HTTPException) as err:
        raise WebhookFailed(target.host, f"{type(err).__name__}: {err}") from err


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever its host's name means by now."""

    def __init__(self, target: Target, address: str, deadline: float) -> None:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("resolving the name took too long")
        super().__init__(target.host, target.port, timeout=left_s)
        self._target, self._address = target, address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._target.scheme == "https":
            # The certificate must be the name's, not the address's.
            context, name = ssl.create_default_context(), self._target.host
            # Not during wrapping: the socket could not be cut off meanwhile.
            self.sock = context.wrap_socket(
                self.sock, server_hostname=name, do_handshake_on_connect=False
            )
            self.sock.do_handshake()


def _exchange(
    connection: _Pinned, target: Target, body: bytes, headers: Headers, deadline: float
) -> int:
    """Send a request and return the response's status; its body is not read."""

    def cut_off() -> None:
        if connection.sock is not None:
            _shut(connection.sock)

    # The timeout of a socket begins anew with each byte, and a drip of them would never end.
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut_off)
    timer.daemon = True
    timer.start()
    try:
        connection.request("POST", target.path, body, headers)
        status = connection.getresponse().status
    finally:
        timer.cancel()
        connection.close()
    if time.monotonic() >= deadline:  # cut off: what came may look complete
        raise TimeoutError("the response took too long")
    return status


def _shut(connected: socket.socket) -> None:
    try:
        # Not SSLSocket's own, which another thread, waiting in it, would not survive.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already
