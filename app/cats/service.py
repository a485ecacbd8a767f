"""Requests for cats: from parameters to an image request, and from that to a response."""

import asyncio
import json

from starlette.requests import Request
from starlette.responses import Response

from app.cats.archives import multipart_of, zip_of
from app.cats.cache import ImageCache
from app.cats.latents import Variation, consecutive_seeds
from app.cats.parameters import CatsQuery, variation_of
from app.cats.renderer import Renderer
from app.cats.request import Freshness, ImageRequest
from app.cats.response import send
from app.http.negotiation import MEDIA_TYPES, Format, negotiate
from app.inference.slot import Slot
from app.observability.metrics import Telemetry
from models.errors import InvalidValue
from models.images.formats import PictureFormat, default_columns
from models.store.names import is_version


def some_cats(query: CatsQuery, accept: str, slot: Slot, root: str) -> ImageRequest:
    """Return the request for images that `GET /cats` makes; without a seed it is random.

    Args:
        query: The parameters.
        accept: The Accept header, used if the query names no format.
        slot: The version that the query names.
        root: Path that the app is mounted at.

    Raises:
        InvalidValue: Parameters contradict each other, or the version does not support one.
        NotAcceptable: The header accepts none of the formats.
    """
    kind = query.format or negotiate(accept)
    variation = variation_of(query)
    variation.check(slot)
    return ImageRequest(
        slot=slot,
        seeds=consecutive_seeds(query.seed, query.n),
        format=kind,
        freshness=_freshness(query),
        variation=variation,
        columns=_columns(query, kind),
        encoding=_encoding(query, kind),
        root=root,
        was_negotiated=query.format is None,
    )


def one_cat(
    slot: Slot, seed: int, encoding: PictureFormat, variation: Variation, root: str
) -> ImageRequest:
    """Return the request for an image that a permalink makes.

    Raises:
        InvalidValue: The version does not support the variation.
    """
    variation.check(slot)
    return ImageRequest(
        slot=slot,
        seeds=(seed,),
        format=Format(encoding),
        freshness=Freshness.FIXED,
        variation=variation,
        encoding=encoding,
        root=root,
    )


async def respond(request: Request, wanted: ImageRequest) -> Response:
    """Return the response to an image request, rendered only if necessary."""
    cache: ImageCache = request.app.state.image_cache
    telemetry: Telemetry = request.app.state.telemetry
    if wanted.bypasses_cache and request.method == "GET" and "if-none-match" not in request.headers:
        # Before any header is computed: refusing must be cheap under overload.
        request.app.state.renderer.check_room(len(wanted.seeds))
    resolved = await cache.resolve(wanted)

    def count() -> None:
        telemetry.cats.labels(wanted.slot.model, wanted.format).inc(len(wanted.seeds))

    async def render(renderer: Renderer) -> bytes:
        body = await _body(renderer, cache, resolved)
        count()
        return body

    def at_once() -> bytes | None:
        body = cache.at_once(resolved)
        if body is not None:
            count()
        return body

    return await send(request, resolved.headers(), render, at_once)


async def _body(renderer: Renderer, cache: ImageCache, wanted: ImageRequest) -> bytes:
    seeds = wanted.seeds
    if wanted.format is Format.JSON:
        return _listing(wanted)
    if not wanted.has_files:
        return await renderer.sheet(
            wanted.slot, seeds, wanted.columns, wanted.variation, wanted.encoding
        )
    # Zip and multipart consist of permalinks' files, so the cache serves those, too.
    cats = await cache.files(wanted)
    if wanted.is_single:
        return cats[0]
    names = [wanted.file_name(seed) for seed in seeds]
    files = dict(zip(names, cats, strict=True))
    if wanted.format is Format.ZIP:
        return await asyncio.to_thread(zip_of, files)
    locations = {name: wanted.link(seed) for name, seed in zip(names, seeds, strict=True)}
    media_type = MEDIA_TYPES[Format(wanted.encoding)]
    return await asyncio.to_thread(multipart_of, files, wanted.boundary, locations, media_type)


def _listing(wanted: ImageRequest) -> bytes:
    slot = wanted.slot
    listing = {
        "model": slot.model,
        "version": slot.version,
        "size_px": slot.card.size_px,
        "cats": [{"seed": seed, "permalink": wanted.link(seed)} for seed in wanted.seeds],
    }
    return json.dumps(listing).encode()


def _freshness(query: CatsQuery) -> Freshness:
    if query.seed is None:
        return Freshness.RANDOM
    _, _, version = (query.model or "").partition("@")
    return Freshness.FIXED if is_version(version) else Freshness.MOVABLE


def _columns(query: CatsQuery, kind: Format) -> int | None:
    """Return the columns of a contact sheet; None for a single cat and for other formats."""
    if kind.picture is None or query.n == 1:
        return None
    return query.columns or default_columns(query.n)


def _encoding(query: CatsQuery, kind: Format) -> PictureFormat:
    """Return the format of the cats' files.

    Raises:
        InvalidValue: The response is one picture, and `encoding` names another format.
    """
    wanted = query.encoding or kind.picture or PictureFormat.PNG
    if kind.picture not in (None, wanted):
        raise InvalidValue("encoding", wanted.value, "only with format=zip, multipart or json")
    return wanted
