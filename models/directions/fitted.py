"""What is fitted from a version's own images, as a file beside its card."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from models.errors import StoreError
from models.latent_space.points import check_direction
from models.store.records import Json

FORMAT = "cattery-directions-1"
LEAST_R2 = 0.4
UNREADABLE = "Fit them again: cattery models directions MODEL@VERSION."


@dataclass(frozen=True, kw_only=True)
class Direction:
    """A direction of the latent space, without its vector.

    Attributes:
        name: As in addresses.
        kind: "attribute" of a picture, or "axis" of the first layer's factorization.
        r2: Of the attribute on held-out seeds; None for an axis, which predicts nothing.
        effect: What moving from -3 to +3 changes: for an attribute in its standard deviations,
            for an axis the mean change of a pixel, as a fraction of its range.
        more: What a positive amount does, in words.
    """

    name: str
    kind: str
    r2: float | None
    effect: float
    more: str

    @property
    def is_offered(self) -> bool:
        """Whether it predicts its attribute well enough to be offered."""
        return self.r2 is None or self.r2 >= LEAST_R2


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """All that one fit gives; never fitted twice for a version, since addresses rely on it.

    Attributes:
        directions: Of every attribute, offered or not, then the axes.
        vectors: Unit vectors in the same order, (K, Z) float32.
        encoder: From `models.directions.encoder.thumbnails` to latents, (F, Z) float32.
        center: Mean of the thumbnails, (F,) float32.
        thumbnails: Of the seeds 0 to N - 1, (N, F) uint8.
        fit_s: Seconds that it took.
    """

    directions: tuple[Direction, ...]
    vectors: NDArray[np.float32]
    encoder: NDArray[np.float32]
    center: NDArray[np.float32]
    thumbnails: NDArray[np.uint8]
    fit_s: float

    @property
    def offered(self) -> Mapping[str, NDArray[np.float32]]:
        """Unit vectors of the offered directions by name, (Z,) each."""
        pairs = zip(self.directions, self.vectors, strict=True)
        return {row.name: vector for row, vector in pairs if row.is_offered}

    def to_bytes(self) -> bytes:
        """Return it as a safetensors file."""
        rows = [asdict(row) for row in self.directions]
        header: Json = {"format": FORMAT, "directions": rows, "fit_s": round(self.fit_s, 2)}
        tensors: dict[str, NDArray[Any]] = {
            "vectors": self.vectors,
            "encoder": self.encoder,
            "center": self.center,
            "thumbnails": self.thumbnails,
        }
        return save(tensors, {"cattery": json.dumps(header, sort_keys=True)})

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Fitted":
        """Read a file.

        Raises:
            StoreError: It is damaged, or of another format.
        """
        try:
            tensors = load(raw)
            length = int.from_bytes(raw[:8], "little")
            header = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["cattery"])
            rows = tuple(Direction(**row) for row in header["directions"])
            fitted = cls(directions=rows, fit_s=header["fit_s"], **tensors)
            _check(fitted, header["format"])
        except (SafetensorError, ValueError, KeyError, TypeError) as err:
            detail = f"The file of directions cannot be read: {err}."
            raise StoreError(detail, UNREADABLE) from err
        return fitted


def _check(fitted: Fitted, file_format: str) -> None:
    """Raise ValueError unless format, names, shapes and numbers are possible."""
    if file_format != FORMAT:
        raise ValueError(f"its format is {file_format!r}")
    count, z_dim = fitted.vectors.shape
    features = len(fitted.center)
    for row in fitted.directions:
        check_direction(row.name)
    shapes = (len(fitted.directions), fitted.encoder.shape, fitted.thumbnails.shape[1:])
    if shapes != (count, (features, z_dim), (features,)):
        raise ValueError("its tensors do not fit together")
    if not all(np.isfinite(each).all() for each in (fitted.vectors, fitted.encoder, fitted.center)):
        raise ValueError("a number is not finite")
