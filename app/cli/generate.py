"""`cattery generate`: cats in a file, without a running service."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import check_parent, counting_bar, say
from app.cli.store import open_store_with_zoo, shared_settings
from models.errors import InvalidValue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.cats.latents import Variation
    from app.inference.slot import Slot
    from models.inference.latents import Point

BATCH = 64
MOST = 1024

Writer = Callable[["Slot", Sequence[int], "Variation", "NDArray[np.uint8]"], bytes]
"""Encodes a slot's pictures of seeds with a variation, (N, H, W, 3) uint8, as a file."""


Model = Annotated[str, typer.Option(help="Name: model, model@version or model@previous.")]
Device = Annotated[str, typer.Option(help="Device to use: auto, cpu, cuda or cuda:N.")]
Truncation = Annotated[
    float, typer.Option(help="0.1 to 1; below 1, cats are less varied and closer to the average.")
]


def generate(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write: .png or .webp (one sheet), or .zip."),
    ] = Path("cats.png"),
    model: Model = "dcgan",
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=MOST, help="Number of cats.")] = 16,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the first cat; default: random.")
    ] = None,
    columns: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Cats per row; default: a square.")
    ] = None,
    near: Annotated[
        int | None, typer.Option(min=0, help="Generate neighbors of the cat with this seed.")
    ] = None,
    distance: Annotated[
        float | None, typer.Option(help="Distance from that cat, 0 to 1; default: 0.2.")
    ] = None,
    truncation: Truncation = 1.0,
    device: Device = "auto",
) -> None:
    """Generate cats and write them to a file; the same bytes as from the service."""
    check_parent(output)
    write = _writer(output, columns)  # first: an unknown suffix should not cost a rendering
    from app.cats.latents import Variation, consecutive_seeds

    variation = Variation.asked(near, distance, truncation)
    seeds = consecutive_seeds(seed, n)
    slot = open_slot(model, device)
    variation.check(slot)
    pixels = render(slot, variation.points(seeds))
    output.write_bytes(write(slot, seeds, variation, pixels))
    say(f"{output}: {n} of {slot.name}, seeds {seeds[0]} to {seeds[-1]}")


def _writer(output: Path, columns: int | None) -> Writer:
    """Return the writer for the suffix of the file."""
    writers: Mapping[str, Writer] = {
        ".png": partial(_picture, "png", columns),
        ".webp": partial(_picture, "webp", columns),
        ".zip": _zip,
    }
    try:
        return writers[output.suffix.lower()]
    except KeyError:
        raise InvalidValue(
            "output", str(output), "a name that ends in .png, .webp or .zip"
        ) from None


def open_slot(ref: str, device: str) -> "Slot":
    """Load a version by its name or an alias.

    Raises:
        NotFound, Gone, CheckpointError, StoreError: As `app.inference.slot.make_slot`.
    """
    from app.inference.slot import load_engine, make_slot
    from models.devices import pick_device

    store = open_store_with_zoo()
    model, version = store.versions.resolve(ref)
    cache = shared_settings().data / "cache"
    where = str(pick_device(device))
    return make_slot(store, model, version, device=where, cache=cache, load=load_engine)


def render(slot: "Slot", points: Sequence["Point"]) -> "NDArray[np.uint8]":
    """Return (N, H, W, 3) uint8, one picture per point, with a bar."""
    import numpy as np

    batches = [points[begin : begin + BATCH] for begin in range(0, len(points), BATCH)]
    with counting_bar() as bar:
        return np.concatenate([slot.engine.render(b) for b in bar.track(batches, description="")])


def _picture(
    encoding: str,
    columns: int | None,
    slot: "Slot",
    seeds: Sequence[int],
    variation: "Variation",
    pixels: "NDArray[np.uint8]",
) -> bytes:
    from app.cats.renderer import cat_text, sheet_text
    from models.images.formats import ENCODINGS, PictureFormat, contact_sheet

    encode = ENCODINGS[PictureFormat(encoding)].encode
    if len(seeds) == 1:
        return encode(pixels[0], cat_text(slot, seeds[0], variation))
    return encode(contact_sheet(pixels, columns), sheet_text(slot, seeds, variation))


def _zip(
    slot: "Slot", seeds: Sequence[int], variation: "Variation", pixels: "NDArray[np.uint8]"
) -> bytes:
    from app.cats.archives import zip_of
    from app.cats.renderer import cat_text
    from app.cats.request import Freshness, ImageRequest
    from app.http.negotiation import Format
    from models.images.formats import encode_png

    # The service's own request for these cats: the names of the files are the same there.
    request = ImageRequest(
        slot=slot,
        seeds=seeds,
        format=Format.ZIP,
        freshness=Freshness.FIXED,
        variation=variation,
    )
    return zip_of(
        {
            request.file_name(seed): encode_png(picture, cat_text(slot, seed, variation))
            for seed, picture in zip(seeds, pixels, strict=True)
        }
    )
