"""Asking the whole app over ASGI, one request after the other, from plain test functions."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy

import httpx
import numpy as np
from fastapi import FastAPI
from PIL import Image

HOME = "http://127.0.0.1:8000"


class Api:
    """An app whose lifespan has begun, and its client."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner, client: httpx.AsyncClient):
        self.app = app
        self.runner = runner
        self.client = client

    @property
    def store(self):
        """The app's store."""
        return self.app.state.store

    def run(self, coroutine):
        """Run a coroutine on the app's own event loop, with a limit."""
        return self.runner.run(asyncio.wait_for(coroutine, 30))

    def ask(self, method, path, **options) -> httpx.Response:
        """Send one request."""
        return self.run(self.client.request(method, path, **options))

    def get(self, path, **options) -> httpx.Response:
        """Send a GET."""
        return self.ask("GET", path, **options)

    def post(self, path, **options) -> httpx.Response:
        """Send a POST."""
        return self.ask("POST", path, **options)

    def delete(self, path, **options) -> httpx.Response:
        """Send a DELETE."""
        return self.ask("DELETE", path, **options)


@contextmanager
def served(app: FastAPI, home: str = HOME) -> Iterator[Api]:
    """Begin an app's lifespan, yield what asks it, and end it."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        client = httpx.AsyncClient(transport=transport, base_url=home)
        try:
            yield Api(app, runner, client)
        finally:
            runner.run(client.aclose())
            runner.run(lifespan.__aexit__(None, None, None))


def problem_of(response: httpx.Response, status: int, kind: str | None = None) -> dict:
    """Return the problem document of a refused request; every one has this shape."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:cattery:problem:")
    assert document["title"]
    assert document["detail"]
    assert "Traceback" not in response.text
    if kind is not None:
        assert document["type"] == f"urn:cattery:problem:{kind}"
    return document


def client_of(app) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=HOME)


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def parts_of(response) -> list:
    head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    return list(message_from_bytes(head + response.content, policy=policy.HTTP).iter_parts())
