"""`cattery walk`: an animation of one cat turning into another, without a running service."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import check_parent, say
from app.cli.generate import Device, Model, Truncation, open_slot, render
from models.errors import InvalidValue

if TYPE_CHECKING:
    from models.images.animations import AnimationFormat


def walk(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write: .webp, .apng or .gif.")
    ] = Path("walk.webp"),
    model: Model = "dcgan",
    start: Annotated[
        int | None,
        typer.Option("--from", min=0, help="Seed of the first cat; default: random."),
    ] = None,
    end: Annotated[
        int | None, typer.Option("--to", min=0, help="Seed of the last cat; default: random.")
    ] = None,
    frames: Annotated[
        int, typer.Option(min=2, max=120, help="Number of frames, both cats included.")
    ] = 48,
    truncation: Truncation = 1.0,
    device: Device = "auto",
) -> None:
    """Write an animation of one cat turning into another; the same bytes as from the service.

    The frames lie at equal steps on the great circle between the latents of both seeds.
    """
    check_parent(output)
    from app.cats.latents import seed_or_random
    from app.cats.walks import Walk

    journey = Walk(
        format=_format(output),
        slot=open_slot(model, device),
        start=seed_or_random(start),
        end=seed_or_random(end),
        frames=frames,
        truncation=truncation,
    )
    pixels = render(journey.slot, journey.places)
    output.write_bytes(journey.animation.encode(pixels, journey.provenance))
    say(f"{output}: {frames} frames of {journey.slot.name}, seeds {journey.start} to {journey.end}")


def _format(output: Path) -> "AnimationFormat":
    """Return the format for the suffix of the file."""
    from models.images.animations import AnimationFormat

    try:
        return AnimationFormat(output.suffix.lower().removeprefix("."))
    except ValueError:
        endings = ", ".join(f".{kind}" for kind in AnimationFormat)
        raise InvalidValue("output", str(output), f"a name that ends in {endings}") from None
