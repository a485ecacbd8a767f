"""`cattery walk`: one cat becoming another, as an animated picture, without a service."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import say
from app.cli.generate import open_slot, render
from models.errors import InvalidValue

if TYPE_CHECKING:
    from models.images.animations import AnimationFormat


def walk(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write: .webp, .apng or .gif.")
    ] = Path("walk.webp"),
    model: Annotated[str, typer.Option(help="model, model@version or model@previous.")] = "dcgan",
    start: Annotated[
        int | None,
        typer.Option("--from", min=0, help="Seed of the first cat; none: a random one."),
    ] = None,
    end: Annotated[
        int | None, typer.Option("--to", min=0, help="Seed of the last cat; none: a random one.")
    ] = None,
    frames: Annotated[
        int, typer.Option(min=2, max=120, help="How many pictures, both cats included.")
    ] = 48,
    truncation: Annotated[
        float, typer.Option(help="0.1 to 1: less varied cats, nearer to the average one.")
    ] = 1.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Let one cat become another and write that to a file: the same bytes that the service answers.

    They lie at equal steps on the great circle between the latents of both seeds.
    """
    from app.cats.walks import Walk

    way = Walk(
        format=_format(output),
        slot=open_slot(model, device),
        start=_seed(start),
        end=_seed(end),
        frames=frames,
        truncation=truncation,
    )
    pixels = render(way.slot, way.places)
    output.write_bytes(way.animation.encode(pixels, way.provenance))
    say(f"{output}: {frames} frames of {way.slot.name}, from seed {way.start} to {way.end}")


def _format(output: Path) -> "AnimationFormat":
    """Return the format that the suffix asks for."""
    from models.images.animations import AnimationFormat

    try:
        return AnimationFormat(output.suffix.lower().removeprefix("."))
    except ValueError:
        endings = ", ".join(f".{kind}" for kind in AnimationFormat)
        raise InvalidValue("output", str(output), f"a name that ends in {endings}") from None


def _seed(seed: int | None) -> int:
    from models.inference.latents import MAX_SEED

    return secrets.randbelow(MAX_SEED + 1) if seed is None else seed
