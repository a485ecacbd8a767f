"""Routers whose GETs answer HEAD and whose bodies are strict JSON, and routes for pictures.

Nothing here knows an operation; `app.api` has one module of operations per resource.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, get_type_hints

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.json_body import check_json

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRoute(APIRoute):
    """An operation whose JSON body, if it has one, is checked before FastAPI parses it."""

    def get_route_handler(self) -> Handler:
        """Return the handler of a request, the method that FastAPI asks subclasses to override."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def check_first(request: Request) -> Response:
            check_json(await request.body())
            return await handle(request)

        return check_first


class Router(APIRouter):
    """A router whose GET operations answer HEAD as well."""

    def __init__(self, *, route_class: type[APIRoute] = StrictRoute, **options: Any) -> None:
        super().__init__(route_class=route_class, **options)

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add an operation; HEAD beside a GET stays out of the OpenAPI document."""
        super().add_api_route(path, endpoint, **options)
        if options.get("methods") == ["GET"]:
            # Required by RFC 9110, section 9.1. The server leaves the body out.
            options |= {"methods": ["HEAD"], "include_in_schema": False}
            super().add_api_route(path, endpoint, **options)


class DirectRoute(APIRoute):
    """An operation that FastAPI documents and whose parameters pydantic parses in one step.

    The endpoint is a coroutine function of the request and of up to two pydantic models, named
    `path` and `query`.
    """

    # FastAPI's own handler resolves dependencies and parses one parameter after another, which
    # takes longer than the forward pass of a small generator.

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Starlette's wrapper: FastAPI's opens two exit stacks for dependencies, and there are none.
        self.app = request_response(self.get_route_handler())

    def get_route_handler(self) -> Handler:
        """Return the handler of a request, the method that FastAPI asks subclasses to override."""
        hints = get_type_hints(self.endpoint)
        models = {where: hints[where] for where in ("path", "query") if where in hints}
        known = frozenset(models["query"].model_fields) if "query" in models else frozenset()

        async def handle(request: Request) -> Response:
            query = dict(request.query_params) if request.scope["query_string"] else {}
            given = {"path": request.path_params, "query": query}
            values, errors = {}, repeated(request, known) if query else []
            for where, model in models.items():
                try:
                    values[where] = model.model_validate(given[where])
                except ValidationError as err:
                    errors += [{**error, "loc": (where, *error["loc"])} for error in err.errors()]
            if errors:
                raise RequestValidationError(errors)
            response: Response = await self.endpoint(request, **values)
            return response

        return handle


class DirectRoutes:
    """ASGI middleware that calls direct routes at once, without the rest of the framework.

    It stands where the framework's exception handling would begin, and uses the same handlers.
    Every request that no direct route matches fully goes on as usual.

    Args:
        app: The wrapped app.
        routes: Direct routes, in the order in which they are tried.
        handlers: Handlers of expected errors, by class.
    """

    # The framework's router, exit stack and second exception handler cost as much as all that
    # these routes do themselves.

    def __init__(
        self,
        app: ASGIApp,
        routes: Sequence[BaseRoute],
        handlers: Mapping[Any, Callable[..., Any]],
    ) -> None:
        self._app = app
        self._routes = [route for route in routes if isinstance(route, DirectRoute)]
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http":
            for route in self._routes:
                match, found = route.matches(scope)
                if match is Match.FULL:
                    scope.update(found)
                    scope["starlette.exception_handlers"] = (self._handlers, {})
                    await route.app(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def repeated(request: Request, known: frozenset[str]) -> list[Any]:
    """Return a validation error for each known query parameter that occurs more than once."""
    query = request.query_params
    if len(query) == len(query.multi_items()):
        return []
    # A plain dict would keep the last one, and a client would get other cats than it thinks.
    return [
        {
            "type": "repeated",
            "loc": ("query", name),
            "msg": "it may occur only once",
            "input": query.getlist(name),
        }
        for name in query
        if name in known and len(query.getlist(name)) > 1
    ]
