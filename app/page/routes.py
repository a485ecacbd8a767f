"""The page over HTTP: the index for browsers, and the files that it loads."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.http.conditional import not_modified
from app.page.assets import Asset, Assets
from models.errors import NotFound

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",  # blob: pictures that were fetched or dropped
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ]
)
# Swagger UI sets HTML that it has cleaned itself, and its style has pictures inside.
POLICY_OF_DOCS = POLICY.replace("blob:", "data:").partition("; require-trusted-types-for")[0]
SECURITY = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

router = APIRouter(include_in_schema=False)


def index_page(request: Request) -> Response:
    """Return the page itself, which is checked for a newer one each time."""
    assets: Assets = request.app.state.page
    return _respond(request, assets.index, _of_page(POLICY), "Accept")


@router.get("/docs")
@router.head("/docs")
async def docs(request: Request) -> Response:
    """Return Swagger UI's page."""
    assets: Assets = request.app.state.page
    return _respond(request, assets.docs, _of_page(POLICY_OF_DOCS))


@router.get("/page/{digest}/{path:path}")
@router.head("/page/{digest}/{path:path}")
async def asset(request: Request, digest: str, path: str) -> Response:
    """Return a file of the page of this release.

    Raises:
        NotFound: There is none, or the address is of another release.
    """
    assets: Assets = request.app.state.page
    found = assets.files.get(path) if digest == assets.digest else None
    if found is None:
        raise NotFound("file of this page", f"{digest}/{path}"[:100], [f"{assets.digest}/..."])
    return _respond(request, found, {"Cache-Control": IMMUTABLE})


def _of_page(policy: str) -> dict[str, str]:
    return {**SECURITY, "Content-Security-Policy": policy, "Cache-Control": REVALIDATE}


def _respond(request: Request, asset: Asset, headers: dict[str, str], vary: str = "") -> Response:
    is_compressed = _accepts_gzip(request)
    headers["ETag"] = f'"{asset.digest}{"-gzip" if is_compressed else ""}"'
    headers["Vary"] = ", ".join(filter(None, (vary, "Accept-Encoding")))
    if is_compressed:
        headers["Content-Encoding"] = "gzip"
    return not_modified(request, headers) or Response(
        asset.compressed if is_compressed else asset.content,
        headers=headers,
        media_type=asset.media_type,
    )


def _accepts_gzip(request: Request) -> bool:
    """Return whether the client takes gzip; a refusal is `gzip;q=0`, which no browser sends."""
    members = ",".join(request.headers.getlist("accept-encoding")).lower().split(",")
    names = {name.strip(): weight for name, _, weight in (m.partition(";") for m in members)}
    return "gzip" in names and names["gzip"].replace(" ", "") not in ("q=0", "q=0.0")
