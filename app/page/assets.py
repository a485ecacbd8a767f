"""The files of the page, read once: content, entity tags, and one digest over all of them."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

STATIC = Path(__file__).with_name("static")
MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""By suffix; other files beside the page's are not served."""

INDEX, DOCS = "index.html", "docs.html"
HTML = "text/html; charset=utf-8"
_LINKS = "<!-- links -->"
_SPRITE = "<!-- sprite -->"
_DIGEST = "{digest}"
_OF_DOCS = ("vendor/swagger", "docs.")


@dataclass(frozen=True)  # without slots, which cached properties need
class Asset:
    """One file.

    Attributes:
        content: Its bytes.
        media_type: Value of Content-Type.
    """

    content: bytes
    media_type: str

    @cached_property
    def compressed(self) -> bytes:
        """Its bytes, by gzip."""
        return gzip.compress(self.content, 9, mtime=0)

    @cached_property
    def digest(self) -> str:
        """First 32 hex digits of its SHA-256."""
        return hashlib.sha256(self.content).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Assets:
    """All files of one release of the page.

    Attributes:
        digest: First 16 hex digits of the SHA-256 over all files; part of their addresses, so that
            a page never mixes files of two releases.
        index: The page, which names the digest.
        docs: Swagger UI's page.
        files: The others by path, such as "views/cat.js".
    """

    digest: str
    index: Asset
    docs: Asset
    files: Mapping[str, Asset]

    @classmethod
    def read(cls, folder: Path = STATIC) -> "Assets":
        """Read a folder of files."""
        found = sorted(path for path in folder.rglob("*") if path.suffix in MEDIA_TYPES)
        files = {path.relative_to(folder).as_posix(): path for path in found}
        contents = {name: path.read_bytes() for name, path in files.items()}
        pages = {name: (folder / name).read_text(encoding="utf-8") for name in (INDEX, DOCS)}
        digest = _digest(contents | {name: page.encode() for name, page in pages.items()})
        composed = {name: _compose(page, digest, contents) for name, page in pages.items()}
        return cls(
            digest=digest,
            index=Asset(composed[INDEX], HTML),
            docs=Asset(composed[DOCS], HTML),
            files={
                path: Asset(content, MEDIA_TYPES[Path(path).suffix])
                for path, content in contents.items()
            },
        )


def _digest(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(b"%s\0%d\0%s" % (name.encode(), len(content), content))
    return digest.hexdigest()[:16]


def _compose(page: str, digest: str, contents: Mapping[str, bytes]) -> bytes:
    """Return the page with its digest, the icons, and links to all styles and modules."""
    # Modules as well: a browser would else learn of each from the one that imports it, one round
    # trip after another. General styles before those of views, which lie in folders.
    names = [name for name in contents if not name.startswith(_OF_DOCS)]
    styles = sorted((name for name in names if name.endswith(".css")), key=_depth)
    links = [f'<link rel="stylesheet" href="page/{digest}/{name}">' for name in styles]
    links += [
        f'<link rel="modulepreload" href="page/{digest}/{name}">'
        for name in names
        if name.endswith(".js")
    ]
    sprite = contents["vendor/icons.svg"].decode()
    for mark, text in ((_LINKS, "\n".join(links)), (_SPRITE, sprite), (_DIGEST, digest)):
        page = page.replace(mark, text)
    return page.encode()


def _depth(name: str) -> tuple[int, int]:
    """Return what sorts the tokens before the components, and both before views."""
    return name.count("/"), ("style.css", "components.css").index(name) if "/" not in name else 0
