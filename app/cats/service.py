"""From a query for cats to an answer, and from an answer to what is sent."""

import asyncio
import json
import secrets

from starlette.requests import Request
from starlette.responses import Response

from app.cats.archives import multipart_of, zip_of
from app.cats.cache import Rendered
from app.cats.latents import Variation
from app.cats.parameters import CatsQuery, variation_of
from app.cats.renderer import Renderer
from app.cats.request import Answer, Freshness
from app.cats.response import send
from app.http.negotiation import MEDIA_TYPES, Format, negotiate
from app.inference.slot import Slot
from app.observability.metrics import Telemetry
from models.errors import InvalidValue
from models.images.formats import PictureFormat, default_columns
from models.inference.latents import MAX_SEED
from models.store.names import is_version


def some_cats(query: CatsQuery, accept: str, slot: Slot, root: str) -> Answer:
    """Return what answers a query; random seeds where none is given.

    Args:
        query: The parameters.
        accept: The Accept header; counts where the query names no format.
        slot: The version that is meant.
        root: Path that the app is mounted at.

    Raises:
        InvalidValue: The parameters do not fit each other, or the version.
        NotAcceptable: The header takes nothing that there is.
    """
    kind = query.format or negotiate(accept)
    variation = variation_of(query)
    variation.check(slot)
    return Answer(
        slot=slot,
        seeds=_seeds(query),
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
) -> Answer:
    """Return what answers a permalink.

    Raises:
        InvalidValue: The version does not know the variation.
    """
    variation.check(slot)
    return Answer(
        slot=slot,
        seeds=(seed,),
        format=Format(encoding),
        freshness=Freshness.FIXED,
        variation=variation,
        encoding=encoding,
        root=root,
    )


async def respond(request: Request, answer: Answer) -> Response:
    """Render an answer, if need be, and return the response."""
    rendered: Rendered = request.app.state.rendered
    telemetry: Telemetry = request.app.state.telemetry
    if answer.is_made_anew and request.method == "GET" and "if-none-match" not in request.headers:
        # Before there are headers for it: to refuse a crowd must cost little.
        request.app.state.renderer.check_room(len(answer.seeds))
    settled = await rendered.settled(answer)

    async def render(renderer: Renderer) -> bytes:
        body = await _body(renderer, rendered, settled)
        telemetry.cats.labels(answer.slot.model, answer.format).inc(len(answer.seeds))
        return body

    return await send(request, settled.headers(), render)


async def _body(renderer: Renderer, rendered: Rendered, answer: Answer) -> bytes:
    seeds = answer.seeds
    if answer.format is Format.JSON:
        return _listing(answer)
    if not answer.is_of_files:
        return await renderer.sheet(
            answer.slot, seeds, answer.columns, answer.variation, answer.encoding
        )
    cats = await rendered.cats(answer)
    if answer.is_one_cat:
        return cats[0]
    names = [answer.file_name(seed) for seed in seeds]
    files = dict(zip(names, cats, strict=True))
    if answer.format is Format.ZIP:
        return await asyncio.to_thread(zip_of, files)
    locations = {name: answer.link(seed) for name, seed in zip(names, seeds, strict=True)}
    media_type = MEDIA_TYPES[Format(answer.encoding)]
    return await asyncio.to_thread(multipart_of, files, answer.boundary, locations, media_type)


def _listing(answer: Answer) -> bytes:
    slot = answer.slot
    listing = {
        "model": slot.model,
        "version": slot.version,
        "size_px": slot.card.size_px,
        "cats": [{"seed": seed, "permalink": answer.link(seed)} for seed in answer.seeds],
    }
    return json.dumps(listing).encode()


def _seeds(query: CatsQuery) -> range:
    """Return the seeds; random ones where none is given.

    Raises:
        InvalidValue: The last one would be no seed any more.
    """
    last_start = MAX_SEED - query.n + 1
    if query.seed is None:
        first = secrets.randbelow(last_start + 1)
    elif query.seed > last_start:
        raise InvalidValue("seed", query.seed, f"0 to {last_start} for n={query.n}")
    else:
        first = query.seed
    return range(first, first + query.n)


def _freshness(query: CatsQuery) -> Freshness:
    if query.seed is None:
        return Freshness.RANDOM
    _, _, version = (query.model or "").partition("@")
    return Freshness.FIXED if is_version(version) else Freshness.MOVABLE


def _columns(query: CatsQuery, kind: Format) -> int | None:
    """Return the columns of a contact sheet; one cat, or another format, has none."""
    if kind.picture is None or query.n == 1:
        return None
    return query.columns or default_columns(query.n)


def _encoding(query: CatsQuery, kind: Format) -> PictureFormat:
    """Return what the cats' files are.

    Raises:
        InvalidValue: The format is a picture's and another one is named.
    """
    wanted = query.encoding or kind.picture or PictureFormat.PNG
    if kind.picture not in (None, wanted):
        raise InvalidValue("encoding", wanted, "only beside format=zip, multipart or json")
    return wanted
