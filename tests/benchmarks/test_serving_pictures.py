"""The contenders' common way to make cats, and how their answers are checked."""

import numpy as np
import pytest

from benchmarks.serving.cases import CASES
from benchmarks.serving.checking import check, pictures_of
from benchmarks.serving.servers.painting import Instructions, Order, Painter, body_of
from benchmarks.serving.weights import untrained_weights
from models.inference.checkpoints import load_generator
from models.inference.engine import Engine


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return untrained_weights(tmp_path_factory.mktemp("weights"), width=8, size_px=32)


@pytest.fixture(scope="module")
def painter(weights):
    """Makes its pictures as the contenders do."""
    return Painter(str(weights), "cpu", 1)


def test_the_untrained_generator_makes_contrasts(painter):
    """Gray pictures would cost nothing to encode: their levels spread by at least ten."""
    assert 10 < painter.pixels(range(8)).std() < 100


def test_contenders_paint_what_cattery_paints(painter, weights):
    ours = Engine(load_generator(weights)).render(range(5))
    assert np.abs(painter.pixels(range(5)).astype(int) - ours).max() <= 1


def test_a_batch_of_requests_is_dealt_out_to_each(painter):
    orders = [Order(3), Order(10, 16, "zip")]
    bodies = painter.answers(orders)
    alone = [body_of(order, painter.pixels(order.seeds)) for order in orders]
    cases = (CASES["one"], CASES["zip"])
    for case, body, wanted in zip(cases, bodies, alone, strict=True):
        pairs = zip(pictures_of(case, body), pictures_of(case, wanted), strict=True)
        assert max(np.abs(a.astype(int) - b).max() for a, b in pairs) <= 1


@pytest.mark.parametrize("name", CASES)
def test_a_right_answer_passes_the_check(painter, name):
    order = Order(7, CASES[name].images, CASES[name].format)
    body = body_of(order, painter.pixels(order.seeds))
    assert check(painter, CASES[name], 7, body, "somebody") == 0


@pytest.mark.parametrize(
    ("asked", "given", "told"),
    [
        ("one", Order(8), "somebody shows other cats"),  # as a server that ignores the seed
        ("zip", Order(7, 15, "zip"), "other shapes"),  # fifteen for sixteen would be fast
    ],
)
def test_other_or_fewer_cats_fail_the_check(painter, asked, given, told):
    body = body_of(given, painter.pixels(given.seeds))
    with pytest.raises(SystemExit, match=told):
        check(painter, CASES[asked], 7, body, "somebody")


def test_instructions_travel_through_the_environment(monkeypatch):
    """A server's own processes read what its parent was told, threads divided among them."""
    told = Instructions(weights="w", port=1, device="cpu", workers=2, cores=5)
    for name, value in told.environment().items():
        monkeypatch.setenv(name, value)
    assert Instructions.read() == told
    assert Instructions.read().threads == 2
