"""Descent through any network, on its sphere if it has one."""

import pytest
import torch

from models.finding.descent import Limits, descend
from models.networks import NETWORKS


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_every_network_lets_gradients_through(kind):
    row = NETWORKS[kind]
    torch.manual_seed(0)
    network = row.generator(row.config(size_px=32, z_dim=8, width=8)).eval().requires_grad_(False)
    start = torch.randn(1, 8)
    goal = network(torch.randn(1, 8))
    limits = Limits(steps=5)
    z, taken = descend(network, goal, start, limits, truncates=row.truncates)
    assert taken == 5
    assert torch.isfinite(z).all()
    assert not torch.equal(z, start)
    if not row.truncates:
        assert float(z.norm()) == pytest.approx(8**0.5, rel=1e-4)
