"""From a photograph of a face to an address, the nearest seed, and how alike they are."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.directions.encoder import scaled, thumbnails
from models.directions.fitted import Fitted
from models.directions.fitting import as_tensor
from models.errors import InvalidValue
from models.finding.descent import STEPS, Limits, descend
from models.inference.backend import gray_levels
from models.inference.checkpoints import Generator
from models.inference.latents import latents
from models.latent_space.codes import decoded, encoded
from models.latent_space.points import Code
from models.networks import NETWORKS

DEADLINE_S = 10.0
SHRINK = 0.7  # of a first guess's length: the encoder's guesses are noisy where photos are unusual
STRANGERS = 64  # seeds that a found cat is compared with

FeaturesOf = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found for a photograph.

    Attributes:
        point: Its latent as a code, whose image is `image`.
        image: (H, W, 3) uint8.
        nearest_seed: Of the fitted seeds, the one whose thumbnail is closest.
        likeness: 0 to 100, see `Finder`.
        nearest_likeness: The same for the nearest seed.
        steps: Gradient steps taken, fewer than `STEPS` if the time ran out.
        seconds: All in all.
    """

    point: Code
    image: NDArray[np.uint8]
    nearest_seed: int
    likeness: float
    nearest_likeness: float
    steps: int
    seconds: float


class Finder:
    """Finds cats of one version.

    Likeness is measured by the distance of two pictures' features (`models.metrics.features`):
    100 for the same picture, and 0 for one that is no closer to the photograph than a random
    cat of this version is, in the median of `STRANGERS` seeds. So 40 means that two fifths of
    the way from a stranger to the photograph itself are covered.

    Args:
        generator: A checked generator; its plain network is used, through which gradients pass.
        fitted: Of the same version.
        features: From (N, H, W, 3) uint8 to (N, D).
    """

    def __init__(self, generator: Generator, fitted: Fitted, features: FeaturesOf) -> None:
        if fitted.vectors.shape[1] != generator.z_dim:
            raise InvalidValue("fitted", fitted.vectors.shape[1], f"of {generator.z_dim} numbers")
        self._generator, self._fitted, self._features = generator, fitted, features
        self._truncates = NETWORKS[str(generator.meta["network"])].truncates
        self._device = next(generator.parameters()).device
        strangers = self._render(latents(range(STRANGERS), generator.z_dim))
        self._strangers = features(strangers)

    def find(
        self,
        photo: NDArray[np.uint8],
        *,
        steps: int = STEPS,
        deadline_s: float = DEADLINE_S,
        is_canceled: Callable[[], bool] = lambda: False,
    ) -> Found:
        """Find a photograph's point.

        Args:
            photo: (H, W, 3) uint8 of the model's size, an aligned face.
            steps: Of gradient descent, at most.
            deadline_s: After which no further step is begun.
            is_canceled: Asked between steps; what was found so far is returned.

        Raises:
            InvalidValue: The photograph has another size.
        """
        began = time.monotonic()
        side = self._generator.size_px
        if photo.shape != (side, side, 3) or photo.dtype != np.uint8:
            raise InvalidValue("photo", photo.shape, f"({side}, {side}, 3) uint8")
        limits = Limits(steps=steps, deadline=began + deadline_s, is_canceled=is_canceled)
        target = as_tensor(photo[None]).to(self._device)
        z, taken = descend(
            self._generator.network, target, self._guess(photo), limits, truncates=self._truncates
        )
        # Rounded first: likeness is that of the image at the address.
        point = Code(encoded(z[0].cpu().numpy()))
        seed = self.nearest_seed(photo)
        seed_z = latents([seed], self._generator.z_dim)[0]
        images = self._render(np.stack([decoded(point.data), seed_z]))
        likeness = self._likeness(photo, images)
        return Found(
            point=point,
            image=images[0],
            nearest_seed=seed,
            likeness=likeness[0],
            nearest_likeness=likeness[1],
            steps=taken,
            seconds=time.monotonic() - began,
        )

    def nearest_seed(self, photo: NDArray[np.uint8]) -> int:
        """Return the fitted seed whose thumbnail is closest to a photograph's."""
        difference = self._fitted.thumbnails.astype(np.float32) - thumbnails(photo[None])
        return int(np.square(difference).sum(1).argmin())

    def _guess(self, photo: NDArray[np.uint8]) -> torch.Tensor:
        """Return the encoder's latent at a shorter length than is typical, (1, Z)."""
        fitted = self._fitted
        z = (scaled(thumbnails(photo[None])) - fitted.center) @ fitted.encoder
        z *= SHRINK * z.shape[1] ** 0.5 / (np.linalg.norm(z) + 1e-12)
        return torch.from_numpy(z.astype(np.float32)).to(self._device)

    @torch.no_grad()
    def _render(self, z: NDArray[np.float32]) -> NDArray[np.uint8]:
        rows = torch.split(torch.from_numpy(z).to(self._device), 16)
        return torch.cat([gray_levels(self._generator(each)).cpu() for each in rows]).numpy()

    def _likeness(self, photo: NDArray[np.uint8], images: NDArray[np.uint8]) -> list[float]:
        features = self._features(np.concatenate([photo[None], images]))
        strange = float(np.median(np.linalg.norm(self._strangers - features[0], axis=1)))
        distances = np.linalg.norm(features[1:] - features[0], axis=1)
        return [round(100 * max(0.0, 1 - float(each) / strange), 1) for each in distances]
