"""What papers and the experiments of 2017 tell of the recipes, as far as it was of cats.

Nobody should put these beside ours without reading how each was measured: they are
Frechet distances on Inception features, ours on another network's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

PROTOCOL_2018 = (
    "FID (TensorFlow Inception, 10,000 fakes) at 20,000 to 100,000 generator steps, CAT 64x64, "
    "9,304 pictures; arXiv:1807.00734"
)
CATS_2017 = "the author's notes on cats, 2017: pictures, no figure"
NO_CATS = "no cats of 64 or 128 px in its paper"


@dataclass(frozen=True, slots=True)
class Published:
    """A recipe's figure.

    Attributes:
        figure: As it was published, or what was shown instead.
        protocol: How it was measured, and where it stands.
    """

    figure: str
    protocol: str


def _fid(least: float, most: float, but: str = "") -> Published:
    return Published(f"FID {least} at best, {most} at worst", PROTOCOL_2018 + but)


PUBLISHED: Mapping[str, Published] = {
    "dcgan": _fid(16.56, 310.56, " (there with a learning rate of 2e-4 for both networks)"),
    "dcgan-selu": Published("good cats at 128 px after 605 epochs", CATS_2017),
    "wgan": Published("cats after 1,408 epochs", CATS_2017),
    "wgan-gp": Published("cats after 15,195 generator steps", CATS_2017),
    "lsgan": _fid(20.27, 224.97),
    "lsgan-stable": Published("", "the same loss with other numbers, see `lsgan`"),
    "ragan": _fid(15.38, 33.11),
    "ralsgan": _fid(11.97, 19.29),
    "rahinge": _fid(14.62, 27.31),
    "sngan": Published("", NO_CATS),
    "r3gan": Published("", NO_CATS),
    "projected": Published("", "no figure for these cats; the lab's is in docs/results.md"),
}
"""By recipe."""
