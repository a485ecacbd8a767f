"""The front end as an ASGI app."""

from importlib.metadata import version

from fastapi import FastAPI

from app.api import cats, datasets, health, jobs, models, recipes, walks
from app.api.openapi import TAGS, describe
from app.http.security import Gate, Hardening, check_closed
from app.inference.slot import EngineLoader
from app.lifespan import lifespan_of
from app.observability.metrics import RequestCounter, Telemetry
from app.page import routes as page
from app.page.assets import Assets
from app.problems.handlers import register
from app.settings import AppSettings
from models.store import Store

ROUTERS = (walks, models, recipes, jobs, datasets, health, page)


def create_app(
    settings: AppSettings,
    *,
    store: Store | None = None,
    load: EngineLoader | None = None,
) -> FastAPI:
    """Return the app; nothing is opened before its lifespan begins.

    Args:
        settings: The front end's settings.
        store: An open store; default: that of the settings.
        load: Loads a weights file into an engine; default: that of the settings.

    Raises:
        SettingsError: It would be open to the whole network without a key.
    """
    # A server that shuts down should set `app.state.stopping` before it waits for connections:
    # event streams would otherwise keep theirs open.
    check_closed(settings)
    telemetry = Telemetry()
    app = FastAPI(
        title="Cattery",
        summary="Trains cat generators and serves their pictures.",
        version=version("cattery"),
        openapi_tags=TAGS,
        docs_url=None,  # FastAPI's load scripts from elsewhere; ours is in app.page
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan_of(settings, store, load),
    )
    app.state.settings = settings
    app.state.telemetry = telemetry
    app.state.page = Assets.read()
    register(app)
    app.router.routes[:0] = cats.router.routes  # first: matched before all others
    for module in ROUTERS:
        app.include_router(module.router)
    describe(app)
    app.add_middleware(Gate, settings=settings)
    app.add_middleware(Hardening)
    app.add_middleware(RequestCounter, telemetry=telemetry)  # the last one is outermost
    return app
