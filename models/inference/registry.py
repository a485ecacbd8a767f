"""The one table of engines: what turns latents into pixels, and where. Imports no torch."""

from collections.abc import Mapping

CANONICAL = "torch-fp32"  # what new versions' pixels are defined by; it runs everywhere

# Devices of each engine, by its name on cards and in settings.
ENGINES: Mapping[str, tuple[str, ...]] = {
    CANONICAL: ("cpu", "cuda"),
    "torch-bf16": ("cpu",),
    "torch-fp16": ("cuda",),
}

AUTO = "auto"


def pick_engine(wanted: str, canonical: str, device: str) -> str:
    """Return the engine for a version on a device.

    Args:
        wanted: A name in `ENGINES`; or "auto", the version's canonical one on a CPU, and
            float16 on a GPU, where it is kept if it is within one gray level (`OnCuda`).
        canonical: What the version's card names; empty on cards of older releases.
        device: "cpu", "cuda" or "cuda:N".

    Returns:
        A name in `ENGINES` that runs there: the canonical one where the first choice
        does not, or is unknown to this release.
    """
    kind = device.partition(":")[0]
    best = "torch-fp16" if kind == "cuda" else canonical
    name = best if wanted == AUTO else wanted
    return name if kind in ENGINES.get(name, ()) else CANONICAL
