"""A comparison as files: its record, a table, a contact sheet per recipe, and a web page."""

import base64
from collections.abc import Iterable, Mapping
from html import escape
from io import BytesIO
from pathlib import Path

from PIL import Image

from models.comparison.records import Comparison, Row, place, write_record
from models.comparison.table import COLUMNS, caveats, cells, facts, markdown, protocol, remarks
from models.errors import Gone, NotFound
from models.gan.recipes import recipe
from models.store import Store

# The page embeds its sheets, so they are scaled and lossy; `sheets/` has the originals.
PAGE_PX, PAGE_QUALITY = 1024, 90

STYLE = """\
:root { color-scheme: light dark; --line: #8886; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child, td:nth-child(2) { text-align: left; }
.figures { display: grid; gap: 2rem; grid-template-columns: repeat(auto-fill, minmax(min(100%,\
 28rem), 1fr)); }
figure { margin: 0; }
img { width: 100%; height: auto; border: 1px solid var(--line); }
dt { font-weight: 600; }
dd { margin: 0 0 .5rem; overflow-wrap: anywhere; }"""


def html(comparison: Comparison, sheets: Mapping[str, bytes]) -> str:
    """Return the comparison as one self-contained page, given PNG sheets by recipe."""
    of = protocol(comparison)
    head = "".join(f"<th>{escape(name)}</th>" for name in COLUMNS)
    shown = cells(comparison)
    body = "\n".join(_table_row(texts.values()) for texts in shown)
    listed = "".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>\n" for n, v in facts(comparison))
    figures = "\n".join(
        _page_figure(row, texts, list(remarks(row, of)), sheets.get(row.recipe))
        for row, texts in zip(comparison.rows, shown, strict=True)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Recipes compared</title>
<style>
{STYLE}
</style>
</head>
<body>
<h1>Recipes compared</h1>
{"".join(f"<p>{escape(text)}</p>" for text in caveats(comparison))}
<div class="scroll">
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>
<div class="figures">
{figures}
</div>
<h2>How it was made</h2>
<dl>
{listed}</dl>
</body>
</html>
"""


def _table_row(texts: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in texts)}</tr>"


def _page_figure(
    row: Row, texts: Mapping[str, str], said_of_it: Iterable[str], png: bytes | None
) -> str:
    """Return a recipe's figure: its sheet, description, results and remarks."""
    made = recipe(row.recipe)
    image = "" if png is None else _image(f"Contact sheet of {row.recipe}", png)
    numbers = ", ".join(f"{name} {text}" for name, text in texts.items() if text)
    lines = [f"{made.title}.", f"{made.source}.", f"{numbers}.", *said_of_it]
    said = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return f"<figure><h2>{escape(row.recipe)}</h2>{image}<figcaption>{said}</figcaption></figure>"


def _image(alt: str, png: bytes) -> str:
    with Image.open(BytesIO(png)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((PAGE_PX, PAGE_PX))
    out = BytesIO()
    image.save(out, "WEBP", quality=PAGE_QUALITY)
    data = base64.b64encode(out.getvalue()).decode()
    size = f'width="{image.width}" height="{image.height}"'
    return f'<img src="data:image/webp;base64,{data}" {size} alt="{escape(alt)}">'


def sheet(row: Row, store: Store) -> bytes | None:
    """Return a recipe's contact sheet, a PNG file: its version's, or else its job's last."""
    try:
        if row.version is not None:
            return store.versions.samples(row.model, row.version)
        samples = store.jobs.get(row.job).samples if row.job else ()
        return store.jobs.sample(row.job or "", samples[-1]) if samples else None
    except (NotFound, Gone):
        return None  # deleted since


def write_pages(comparison: Comparison, store: Store, folder: Path) -> None:
    """Write `comparison.json`, `comparison.md`, `index.html` and `sheets/{recipe}.png`.

    Raises:
        InvalidValue: The folder cannot be written.
    """
    write_record(comparison, folder)
    found = {row.recipe: sheet(row, store) for row in comparison.rows}
    sheets = {name: png for name, png in found.items() if png is not None}
    for name, png in sheets.items():
        place(folder / "sheets" / f"{name}.png", png)
    place(folder / "comparison.md", markdown(comparison).encode())
    place(folder / "index.html", html(comparison, sheets).encode())
