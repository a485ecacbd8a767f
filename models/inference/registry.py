"""The one table of rendering engines and their devices. Imports no torch."""

from collections.abc import Mapping

CANONICAL = "torch-fp32"  # defines the pixels of new versions; runs everywhere

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
        wanted: A name in `ENGINES`; or "auto": the version's canonical one on a CPU, and
            float16 on a GPU, which `OnCuda` keeps if it is within one gray level.
        canonical: From the version's card; empty on cards of older releases.
        device: "cpu", "cuda" or "cuda:N".

    Returns:
        A name in `ENGINES` that runs there: the canonical one where the first choice does
        not, or is unknown to this release.
    """
    kind = device.partition(":")[0]
    best = "torch-fp16" if kind == "cuda" else canonical
    name = best if wanted == AUTO else wanted
    return name if kind in ENGINES.get(name, ()) else CANONICAL
