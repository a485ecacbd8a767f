"""Generators as files: safetensors with everything that affects pixels in the header."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save
from torch import Tensor, nn

from models.errors import CheckpointError
from models.inference.latents import LATENT_SCHEME
from models.networks import NETWORKS

FORMAT = "cattery-generator-1"
MAX_HEADER_BYTES = 1 << 20

# What a header that does not fit its tensors, or any network at all, makes torch raise.
_MISMATCHES = (
    SafetensorError,
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    RuntimeError,
)


class Generator(nn.Module):
    """A trained generator and what is needed to use it.

    Args:
        network: (N, Z) float32 to (N, 3, H, W) in [-1, 1], on the CPU, in eval mode.
        meta: The file's header.
        config: The network's config as JSON.
    """

    def __init__(self, network: nn.Module, meta: dict[str, Any], config: dict[str, Any]) -> None:
        super().__init__()
        self.network = network
        self.meta = meta
        self.size_px = int(config["size_px"])
        self.z_dim = int(config["z_dim"])

    def forward(self, z: Tensor) -> Tensor:
        """Generate images: (N, Z) float32 to (N, 3, H, W) in [-1, 1]."""
        return self.network(z)


def save_generator(network: nn.Module, *, kind: str, config: Any) -> bytes:
    """Return a generator as a safetensors file.

    Equal weights give equal bytes: a version's id is their hash.

    Args:
        network: The averaged generator.
        kind: Key in `models.networks.NETWORKS`.
        config: The network's config dataclass.
    """
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in network.state_dict().items()
        if tensor.is_floating_point()  # batch norm's step counter affects no pixel
    }
    header = {"format": FORMAT, "network": kind, "config": asdict(config), "latent": LATENT_SCHEME}
    # One key: safetensors writes several in random order, and equal weights need equal bytes.
    return save(tensors, {"cattery": json.dumps(header, sort_keys=True)})


def pack_generator(raw: bytes) -> bytes:
    """Return a weights file of half the size, with matrices and kernels in float16.

    Vectors (biases, batch norm and its variances) stay as they are: they are few and their
    range is wide. Readers compute in float32 all the same.

    Raises:
        CheckpointError: It is damaged, or a weight is too large for float16.
    """
    load_generator(raw)
    header, _ = _header(raw)
    packed = {
        name: tensor.half() if tensor.ndim > 1 else tensor
        for name, tensor in load_tensors(raw).items()
    }
    file = save(packed, {"cattery": json.dumps(header, sort_keys=True)})
    load_generator(file)  # raises where a weight overflowed to infinity
    return file


def load_generator(source: Path | bytes, device: str | torch.device = "cpu") -> Generator:
    """Return a fully checked generator, in eval mode and without gradients.

    Raises:
        CheckpointError: The file is damaged, of an unknown kind, or has wrong
            shapes or weights that are not finite.
    """
    raw = source if isinstance(source, bytes) else _read(source)
    header, config = _header(raw)
    try:
        tensors = load_tensors(raw)
        family = NETWORKS[header["network"]]
        shape = family.config(**config)
        # A forged header may claim hundreds of gigabytes; on `meta` a network takes no memory.
        with torch.device("meta"):
            outline = family.generator(shape)
        tensors = _fitting(outline, tensors, "The weights file")
        network = family.generator(shape)
        network.load_state_dict(tensors, strict=False)
    except _MISMATCHES as err:
        raise CheckpointError(f"The weights file does not match its header: {err}.") from err
    generator = Generator(network, header, config).eval().requires_grad_(requires_grad=False)
    return generator.to(device)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise CheckpointError(f"The weights file {path.name} cannot be read: {err}.") from err


def _header(raw: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    length = int.from_bytes(raw[:8], "little")
    if len(raw) < 8 or length > min(MAX_HEADER_BYTES, len(raw) - 8):
        raise CheckpointError("The weights file is truncated or is no safetensors file.")
    try:
        header = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["cattery"])
        config = header["config"]
        found = (header["format"], header["latent"], header["network"] in NETWORKS)
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        raise CheckpointError(f"The weights file has no Cattery header: {err!r}.") from err
    if found != (FORMAT, LATENT_SCHEME, True) or not _is_sane(config):
        raise CheckpointError(
            f"The weights file is of an unknown kind: {header!r}.",
            "Use the release of Cattery that wrote it, or a newer one.",
        )
    return header, config


def _is_sane(config: Any) -> bool:
    """Return whether a config asks for a network of a size that could have been trained."""
    # The outline is cheap, but not if a header asks for a million layers.
    limits = {"size_px": 1024, "z_dim": 4096, "width": 1024}
    return isinstance(config, dict) and all(
        isinstance(value, int) and (name in limits) <= value <= limits.get(name, 1 << 20)
        for name, value in config.items()
    )


def fill(network: nn.Module, weights: dict[str, Tensor], name: str, remedy: str = "") -> None:
    """Load float32 weights into a network, which must have exactly their names and shapes.

    Args:
        network: Its parameters and buffers are replaced.
        weights: By name; counters of batch norm are neither needed nor used.
        name: What to call the file in an error.
        remedy: What to do about a damaged file, one sentence.

    Raises:
        CheckpointError: A tensor is missing, unknown, of another shape or not finite.
    """
    tensors = _fitting(network, weights, name, remedy)
    is_empty = next(network.parameters()).is_meta  # there is nothing to copy into
    network.load_state_dict(tensors, strict=False, assign=is_empty)


def _fitting(
    network: nn.Module, weights: dict[str, Tensor], name: str, remedy: str = ""
) -> dict[str, Tensor]:
    """Return weights as float32; CheckpointError unless they are just what a network has."""
    tensors = {k: v.float() for k, v in weights.items() if v.is_floating_point()}
    wanted = {k: v.shape for k, v in network.state_dict().items() if v.is_floating_point()}
    if odd := sorted(wanted.keys() ^ tensors.keys())[:3]:
        raise CheckpointError(f"{name} has missing or extra tensors: {', '.join(odd)}.", remedy)
    for key, tensor in tensors.items():
        if tensor.shape != wanted[key]:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(wanted[key])}"
            raise CheckpointError(f"{name}: {key} has shape {shapes}.", remedy)
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{name}: {key} is not finite.", remedy)
    return tensors
