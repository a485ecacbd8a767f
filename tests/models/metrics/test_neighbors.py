import pytest
import torch
from torch import Tensor

from models.errors import DatasetError
from models.metrics.neighbors import memorization, nearest, precision_recall, squared_radii


def _line(*places: float) -> Tensor:
    """Points on a line, (N, 1)."""
    return torch.tensor(places, dtype=torch.float64)[:, None]


def test_radii_reach_the_k_th_neighbor():
    """On a line, counted by hand; oneself is no neighbor, a twin is one."""
    rows = _line(0, 1, 3, 7, 7)
    assert squared_radii(rows, 1).tolist() == [1, 1, 4, 0, 0]
    assert squared_radii(rows, 3).tolist() == [49, 36, 16, 36, 36]


def test_radii_do_not_depend_on_blocks(monkeypatch):
    """Each block leaves out its own diagonal."""
    rows = torch.randn(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = squared_radii(rows)
    monkeypatch.setattr("models.metrics.blocks.BLOCK", 6)
    torch.testing.assert_close(squared_radii(rows), whole)


def test_too_few_pictures_have_no_third_neighbor():
    with pytest.raises(DatasetError, match=r"is 3\. Allowed: more than 3"):
        squared_radii(_line(0, 1, 2))


def test_precision_and_recall_are_the_hand_computed_shares():
    """With k = 1: reals 0, 1, 10 reach 1, 1, 9; fakes 2, 2.5, 20, 21 reach .5, .5, 1, 1.

    Of the fakes 2 (from 1, and from 10) and 2.5 (from 10) are among the reals: 2 of 4.
    Of the reals none is within .5 of 2 or 2.5 or within 1 of 20 or 21: 0 of 3.
    """
    real, fake = _line(0, 1, 10), _line(2, 2.5, 20, 21)
    found = precision_recall(real, squared_radii(real, 1), fake, squared_radii(fake, 1))
    assert found == (0.5, 0.0)
    # Fakes 0 and 4 reach 4 each: reals 1 and 3 and -4 are among them, 9 is not.
    real, fake = _line(1, 3, -4, 9), _line(0, 4)
    found = precision_recall(real, squared_radii(real, 1), fake, squared_radii(fake, 1))
    assert found == (1.0, 0.75)


def test_equal_sets_are_precise_and_complete():
    """And a generator that makes one real picture only is precise and recalls little."""
    rows = torch.randn(40, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    radii = squared_radii(rows)
    assert precision_recall(rows, radii, rows, radii) == (1.0, 1.0)
    collapsed = rows[:1].repeat(40, 1)
    precision, recall = precision_recall(rows, radii, collapsed, squared_radii(collapsed))
    assert (precision, recall) == (1.0, 1 / 40)


def test_the_nearest_picture_is_found(monkeypatch):
    monkeypatch.setattr("models.metrics.blocks.BLOCK", 2)
    distances, indices = nearest(_line(0, 4, 10), _line(9, 1, 4))
    assert distances.tolist() == [1, 0, 1]
    assert indices.tolist() == [1, 2, 0]


def test_memorization_is_told_by_the_nearest_held_out_pictures():
    """Of 200 held-out distances 1 to 200, the second is the limit: 2; expected 2 of 201.

    Samples at 1, 1.5, 2, 300: two are nearer than 2. Medians 1.75 and 100.5.
    """
    heldout = torch.arange(1, 201, dtype=torch.float64).flip(0)
    found = memorization(heldout, torch.tensor([300, 1, 1.5, 2], dtype=torch.float64))
    assert found.share == 0.5
    assert found.expected == pytest.approx(2 / 201)
    assert found.median_ratio == pytest.approx(1.75 / 100.5)


@pytest.mark.parametrize("heldout", [20, 99, 250])
def test_new_pictures_are_not_told_from_held_out_ones(heldout):
    """Where nothing is memorized, the share is what is expected, whatever number is held out."""
    generator = torch.Generator().manual_seed(heldout)
    shares = []
    for _ in range(300):
        distances = torch.rand(heldout + 500, generator=generator, dtype=torch.float64) ** 3
        found = memorization(distances[:heldout], distances[heldout:])
        shares.append(found.share)
    assert sum(shares) / len(shares) == pytest.approx(found.expected, rel=0.2)


def test_too_few_held_out_pictures_say_nothing():
    with pytest.raises(DatasetError, match=r"held out is 9\. Allowed: at least 10"):
        memorization(torch.ones(9, dtype=torch.float64), torch.ones(5, dtype=torch.float64))
