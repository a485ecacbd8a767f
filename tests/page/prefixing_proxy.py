"""A reverse proxy that publishes a service under a prefix, which it removes."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.integration.conftest import wait_for

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]


@contextmanager
def proxied(url: str, prefix: str) -> Iterator[str]:
    """Publish the service at `url` under a prefix; yield its address there."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            app.state.client = client
            yield

    async def forward(request: Request) -> Response:
        client: httpx.AsyncClient = request.app.state.client
        path = request.url.path.removeprefix(prefix)
        target = httpx.URL(url, raw_path=f"{path}?{request.url.query}".encode())
        content = await request.body() or None
        sent = client.build_request(
            request.method, target, headers=request.headers.raw, content=content
        )
        response = await client.send(sent, stream=True)
        kept = {k: v for k, v in response.headers.items() if k not in HOP_BY_HOP}
        close = BackgroundTask(response.aclose)
        return StreamingResponse(response.aiter_raw(), response.status_code, kept, None, close)

    async def elsewhere(request: Request) -> Response:
        return PlainTextResponse(f"{request.url.path} belongs to another service.", 404)

    routes = [Route(prefix + "/{path:path}", forward, methods=METHODS)]
    routes.append(Route("/{path:path}", elsewhere, methods=METHODS))
    app = Starlette(routes=routes, lifespan=lifespan)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, "the proxy")
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}{prefix}"
    server.should_exit = server.force_exit = True
    thread.join(10)
