import pytest
import torch

from models.checkpoints import save_generator
from models.errors import CatteryError
from models.gate import judge
from models.networks.dcgan import DcganConfig, DcganGenerator
from models.store import Store
from models.store.records import Card, Promote

CONFIG = DcganConfig(size_px=32, z_dim=8, width=4)


@pytest.fixture
def serving(store_with_cats: Store) -> str:
    """A version in service of the model "m"."""
    torch.manual_seed(0)
    weights = save_generator(DcganGenerator(CONFIG), kind="dcgan", config=CONFIG)
    card = Card(
        model="m", version="", sha256="", recipe="dcgan", size_px=32, z_dim=8, latent="x",
        settings={}, kimg=1, seed=0, created_at="now",
    )  # fmt: skip
    version = store_with_cats.versions.publish("m", weights, card, b"png").version
    store_with_cats.aliases.promote("m", version)
    return version


@pytest.mark.parametrize(("new", "wins"), [(9.0, True), (10.0, False), (11.0, False)])
def test_only_a_better_version_takes_over(
    store_with_cats: Store, serving: str, new: float, wins: bool
) -> None:
    """Lower is better, equal is not; the reason tells both figures and the version."""
    found = {"name": "frechet_distance", "value": new}
    verdict = judge(store_with_cats, "m", found, Promote.IF_BETTER, lambda _: {"value": 10.0})
    assert verdict.promote is wins
    assert all(word in verdict.reason for word in (f"{new:g}", "10", serving))


def test_an_incumbent_that_cannot_be_measured_stays(store_with_cats: Store, serving: str) -> None:
    """Nothing is replaced by what could not be compared."""

    def fail(_: object) -> dict[str, float]:
        raise CatteryError("no features.")

    found = {"name": "frechet_distance", "value": 1.0}
    verdict = judge(store_with_cats, "m", found, Promote.IF_BETTER, fail)
    assert not verdict.promote
    assert serving in verdict.reason
