"""Published results of the recipes on cats.

They cannot be compared with ours: they are Fréchet distances of Inception features.
"""

from collections.abc import Mapping
from dataclasses import dataclass

PROTOCOL_2018 = (
    "FID (TensorFlow Inception, 10,000 fakes) at 20,000 to 100,000 generator steps, CAT 64x64, "
    "9,304 pictures; arXiv:1807.00734"
)
CATS_2017 = "the author's notes on cat GANs, 2017: samples only, no metric"
NO_CATS = "its paper has no cats at 64 or 128 px"


@dataclass(frozen=True, slots=True)
class Published:
    """A recipe's published result.

    Attributes:
        figure: The metric, or a description of the samples.
        protocol: How it was measured, and the source.
    """

    figure: str
    protocol: str


def _fid(least: float, most: float, but: str = "") -> Published:
    return Published(f"FID {least} (best) to {most} (worst)", PROTOCOL_2018 + but)


PUBLISHED: Mapping[str, Published] = {
    "dcgan": _fid(16.56, 310.56, " (with a learning rate of 2e-4 for both networks)"),
    "dcgan-selu": Published("good cats at 128 px after 605 epochs", CATS_2017),
    "wgan": Published("cats after 1,408 epochs", CATS_2017),
    "wgan-gp": Published("cats after 15,195 generator steps", CATS_2017),
    "lsgan": _fid(20.27, 224.97),
    "lsgan-stable": Published("", "same loss as `lsgan` with other hyperparameters"),
    "ragan": _fid(15.38, 33.11),
    "ralsgan": _fid(11.97, 19.29),
    "rahinge": _fid(14.62, 27.31),
    "sngan": Published("", NO_CATS),
    "r3gan": Published("", NO_CATS),
    "projected": Published("", "none for these datasets; docs/results.md has our own early result"),
}
"""By recipe."""
