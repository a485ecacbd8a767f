"""The front end as an ASGI app."""

from collections.abc import Callable
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api import (
    cats,
    datasets,
    events,
    health,
    jobs,
    models,
    nearest,
    recipes,
    status,
    votes,
    walks,
)
from app.api.openapi import TAGS, describe
from app.api.routing import DirectRoutes
from app.http.headers import ResponseHeaders
from app.http.keys import check_closed
from app.http.security import Gate
from app.inference.slot import EngineLoader
from app.lifespan import lifespan_of
from app.observability.metrics import RequestCounter, Telemetry
from app.page import routes as page
from app.page.assets import Assets
from app.problems.errors import SettingsError
from app.problems.handlers import HANDLERS, register
from app.settings import AppSettings
from models.store import Store

ROUTERS = (
    *(walks, nearest, models, votes, recipes, jobs, events, datasets),
    *(health, status, page),
)


class _App(FastAPI):
    """A FastAPI app with our default headers on every response, maybe below a path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request below the path that the settings name."""
        root = self.state.settings.root_path
        if root:  # a server knows only one of a proxy that removes it and one that passes it on
            scope["root_path"] = root
        await super().__call__(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Return the middleware; Starlette's own response to an unexpected error is inside."""
        return ResponseHeaders(super().build_middleware_stack())


def create_app(
    settings: AppSettings,
    *,
    store: Store | None = None,
    load: EngineLoader | None = None,
    queue_note: Callable[[], str] = lambda: "",
) -> FastAPI:
    """Return the app; nothing is opened before its lifespan begins.

    Args:
        settings: The front end's settings.
        store: An open store; default: that of the settings.
        load: Loads a weights file into an engine; default: that of the settings.
        queue_note: Returns what `/readyz` should tell of a queue that works, or "".

    Raises:
        SettingsError: It would be open to the whole network without a key, or with a weak one.
    """
    # A server that shuts down should set `app.state.stopping` before it waits for connections:
    # event streams would otherwise keep theirs open.
    check_closed(settings, store)
    telemetry = Telemetry()
    app = _App(
        title="Cattery",
        summary="Trains cat generators and serves their pictures.",
        version=version("cattery"),
        openapi_tags=TAGS,
        docs_url=None,  # FastAPI's load scripts from elsewhere; ours is in app.page
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # /metrics has ours
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan_of(settings, store, load),
    )
    app.state.settings = settings
    app.state.telemetry = telemetry
    app.state.queue_note = queue_note
    app.state.page = Assets.read()
    register(app)
    app.router.routes[:0] = cats.router.routes  # first: matched before all others
    for module in ROUTERS:
        app.include_router(module.router)
    describe(app)
    _check_root_path(settings.root_path)
    app.add_middleware(DirectRoutes, routes=cats.router.routes, handlers=HANDLERS)
    app.add_middleware(Gate, settings=settings)
    app.add_middleware(RequestCounter, telemetry=telemetry)  # the last one is outermost
    return app


def _check_root_path(root: str) -> None:
    """Reject a prefix that is also a path of ours: requests with and without it look alike.

    Raises:
        SettingsError: It is one.
    """
    if not root:
        return
    # Those of the page too, which the OpenAPI document does not have.
    routes = (route for module in (cats, *ROUTERS) for route in module.router.routes)
    paths = {"/openapi.json", *(route.path for route in routes if isinstance(route, APIRoute))}
    if any(f"{path}/".startswith(f"{root}/") for path in paths):
        raise SettingsError(
            f"CATTERY_ROOT_PATH is {root!r}, which is a path of the service itself.",
            "Choose another prefix.",
        )
