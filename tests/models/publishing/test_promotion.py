from dataclasses import replace

import pytest
import torch

from models.errors import BadEntry, CatteryError, LeaseLost, StoreError
from models.metrics.comparison import Measurement
from models.metrics.kid import Projections
from models.publishing.promotion import judge
from models.store.records import Promote
from tests.generators import weights_file
from tests.records import card


def _measured(*fake: float) -> Measurement:
    """A measurement whose KID is 0.5 plus the mean of what the fakes add."""
    shares = torch.tensor([10.0, 11.0, 12.0, 13.0], dtype=torch.float64) + torch.tensor(fake)
    real = torch.tensor([-11.0, -11.0, -11.0, -11.0], dtype=torch.float64)
    row = {"name": "kid", "value": 0.0, "protocol": {"name": "cattery", "dataset": "small"}}
    projections = Projections(real=real, fake=shares)
    return Measurement(rows=(row,), absent={}, projections=projections, closest=())


OLD = _measured(0.0, 0.0, 0.0, 0.0)


@pytest.fixture
def serving(store_with_cats):
    """A version in service of the model "m", whose card holds an old Frechet distance only."""
    weights = weights_file(z_dim=8, width=4)
    old = {"name": "frechet_distance", "value": 0.0, "protocol": {"name": "frechet-512"}}
    trained = card(size_px=32, metrics=(old,))
    version = store_with_cats.versions.publish("m", weights, trained, b"png").version
    store_with_cats.aliases.promote("m", version)
    return version


def test_a_version_surely_better_takes_over(store_with_cats, serving):
    """Every fake is nearer by about 0.2: the paired interval is narrow, each one's own is not.

    The shares of the difference are -0.21, -0.19, -0.2, -0.2: mean -0.2, variance
    2e-4 / 3, so the interval is -0.2 -+ 1.96 * 2 * sqrt(2e-4 / 3 / 4) = -0.216 to -0.184.
    """
    new = _measured(-0.21, -0.19, -0.2, -0.2)
    low, high = new.projections.interval
    assert low < 0.3 < 0.5 < high
    seen = []

    def measure(generator):
        seen.append(generator.z_dim)
        return OLD

    verdict = judge(store_with_cats, "m", new, Promote.IF_BETTER, measure)
    assert verdict.is_promoted
    assert seen == [8], "the incumbent is measured anew: its card tells another metric"
    told = ("Promoted: KID 0.3 is better than 0.5", serving, "difference -0.2", "-0.216 to -0.184")
    assert all(words in verdict.reason for words in told)
    assert verdict.compared == serving
    assert verdict.compared_kid == pytest.approx(0.5)
    assert verdict.kid == pytest.approx(0.3)
    assert verdict.difference == pytest.approx(-0.2)
    assert list(verdict.interval or ()) == pytest.approx([-0.216, -0.184], abs=1e-3)
    assert (verdict.protocol, verdict.dataset) == ("cattery", "small")


@pytest.mark.parametrize(
    ("fake", "how"),
    [
        ((-1.0, 0.7, -1.0, 0.7), "not significantly better"),
        ((0.0, 0.0, 0.0, 0.0), "not significantly better"),
        ((1.0, 1.1, 1, 1), "worse"),
    ],
)
def test_a_version_not_significantly_better_is_not_promoted(store_with_cats, serving, fake, how):
    found = _measured(*fake)
    verdict = judge(store_with_cats, "m", found, Promote.IF_BETTER, lambda _: OLD)
    assert not verdict.is_promoted
    assert f"is {how} than 0.5 of {serving}" in verdict.reason


def test_the_version_in_service_is_not_better_than_itself(store_with_cats, serving):
    """Equal weights have equal ids; nothing is measured."""

    def fail(_):
        raise AssertionError

    wish = Promote.IF_BETTER
    verdict = judge(store_with_cats, "m", OLD, wish, fail, version=serving)
    assert not verdict.is_promoted
    assert serving in verdict.reason


def test_an_incumbent_that_cannot_be_measured_stays(store_with_cats, serving):
    """Nothing is replaced by what could not be compared, for example on other numbers of fakes."""

    def fail(_):
        raise CatteryError("no features.")

    other = replace(OLD, projections=replace(OLD.projections, fake=OLD.projections.fake[:2]))
    for measure in (fail, lambda _: other):
        verdict = judge(store_with_cats, "m", OLD, Promote.IF_BETTER, measure)
        assert not verdict.is_promoted
        assert f"{serving}, in service, could not be evaluated" in verdict.reason
    assert not judge(store_with_cats, "m", None, Promote.IF_BETTER, lambda _: OLD).is_promoted


def test_the_first_version_and_the_order_s_wish_need_no_comparison(store_with_cats, serving):
    """Always and never do what they say; with nothing in service there is nothing to beat."""
    measure = lambda _: OLD  # noqa: E731
    worse = _measured(1.0, 1.1, 1.0, 1.0)
    assert judge(store_with_cats, "m", worse, Promote.ALWAYS, measure).is_promoted
    assert not judge(store_with_cats, "m", worse, Promote.NEVER, measure).is_promoted
    assert judge(store_with_cats, "another", worse, Promote.IF_BETTER, measure).is_promoted


@pytest.mark.parametrize("error", [StoreError("The disk is full."), LeaseLost("j")])
def test_a_job_that_must_stop_decides_nothing(store_with_cats, serving, error):
    """Else one failed write would leave a finished training without a comparison for good."""

    def measure(_):
        raise error

    with pytest.raises(type(error)):
        judge(store_with_cats, "m", OLD, Promote.IF_BETTER, measure)


def test_a_damaged_card_in_service_is_told(store_with_cats, serving):
    def measure(_):
        raise BadEntry("card.json", "It is damaged.")

    verdict = judge(store_with_cats, "m", OLD, Promote.IF_BETTER, measure)
    assert not verdict.is_promoted
    assert "could not be evaluated: It is damaged." in verdict.reason
