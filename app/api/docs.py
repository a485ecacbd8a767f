"""The interactive documentation: `GET /docs`."""

import re
from base64 import b64encode
from hashlib import sha256

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse

from app.api.dependencies import RootDep
from app.api.routing import Router

CDN = "https://cdn.jsdelivr.net"

router = Router()


@router.get("/docs", include_in_schema=False)
async def docs(root: RootDep) -> HTMLResponse:
    """Swagger UI, which a browser loads from a content delivery network."""
    page = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json", title="Cattery API", swagger_favicon_url="data:,"
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body).decode())
    return page


def _policy(html: str) -> str:
    """Return the policy of a page: its own inline scripts, and those of the network."""
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    sums = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    hashes = " ".join(f"'sha256-{each}'" for each in sums)
    # Swagger UI sets `style` attributes, which no hash covers.
    return (
        f"default-src 'none'; script-src {CDN} {hashes}; style-src {CDN} 'unsafe-inline'; "
        "img-src data:; connect-src 'self'; frame-ancestors 'none'"
    )
