import pytest
import torch

from models.gan.augment import augment, change_colors, recolor, shift_and_cut, translate


def _pictures(count: int = 8, side: int = 16) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(count, 3, side, side) * 2 - 1


def test_strength_zero_changes_nothing():
    pictures = _pictures()
    assert torch.equal(augment(pictures, 0.0), pictures)
    assert torch.equal(change_colors(pictures, 0.0), pictures)
    assert torch.equal(shift_and_cut(pictures, 0.0), pictures)


def test_strength_is_the_share_of_pictures_that_change():
    """Colors of about 30 %; the others are equal bit for bit."""
    pictures = _pictures(2000, 4)
    changed = (change_colors(pictures, 0.3) != pictures).flatten(1).any(1)
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.04)


def test_colors_have_the_hand_computed_values():
    """Brighter by 0.1; saturation 2 around each pixel's gray; contrast 0.5 around the mean."""
    pixels = torch.tensor([[0.1, 0.4], [0.2, 0.4], [0.6, 0.4]]).view(1, 3, 1, 2)
    one = torch.ones(1)
    brighter = recolor(pixels, 0.1 * one, one, one)
    assert brighter.flatten().tolist() == pytest.approx([0.2, 0.5, 0.3, 0.5, 0.7, 0.5])
    # The first pixel's gray is 0.3: 0.1 becomes -0.1, 0.2 becomes 0.1, 0.6 becomes 0.9.
    vivid = recolor(pixels, 0 * one, 2 * one, one)
    assert vivid.flatten().tolist() == pytest.approx([-0.1, 0.4, 0.1, 0.4, 0.9, 0.4])
    # The mean of all is 0.35.
    flatter = recolor(pixels, 0 * one, one, 0.5 * one)
    assert flatter.flatten().tolist() == pytest.approx([0.225, 0.375, 0.275, 0.375, 0.475, 0.375])


def test_colors_change_within_the_paper_s_ranges():
    """A gray picture moves by its brightness alone, from -0.5 to 0.5."""
    moved = change_colors(torch.zeros(4000, 3, 2, 2), 1.0)[:, 0, 0, 0]
    assert moved.min().item() == pytest.approx(-0.5, abs=0.01)
    assert moved.max().item() == pytest.approx(0.5, abs=0.01)
    assert moved.mean().item() == pytest.approx(0.0, abs=0.02)


def test_a_shift_moves_whole_pixels_and_fills_with_zero():
    """One down and two right; one up and one left."""
    picture = torch.arange(1.0, 17).view(1, 1, 4, 4).expand(2, 3, 4, 4)
    moved = translate(picture, torch.tensor([[1, 2], [-1, -1]]))
    first = [[0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 5, 6], [0, 0, 9, 10]]
    second = [[6, 7, 8, 0], [10, 11, 12, 0], [14, 15, 16, 0], [0, 0, 0, 0]]
    assert moved[0, 1].tolist() == first
    assert moved[1, 2].tolist() == second


def test_what_is_left_is_shifted_by_an_eighth_at_most_and_cut_by_a_square():
    """Of a white 32 px picture, at least 28 x 28 less 16 x 16 stay, and nothing else is there."""
    left = shift_and_cut(torch.ones(500, 3, 32, 32), 1.0)
    assert set(left.unique().tolist()) == {0.0, 1.0}
    counts = left[:, 0].sum((1, 2))
    assert counts.min() >= 28 * 28 - 16 * 16
    assert counts.max() < 32 * 32
    assert torch.equal(left[:, 0], left[:, 2])


def test_a_cutout_is_a_square_of_half_the_side():
    """Where all of it lies inside: 16 x 16 zeros of a picture that was not shifted."""
    found = 0
    for seed in range(40):
        torch.manual_seed(seed)
        holes = shift_and_cut(torch.ones(1, 3, 32, 32), 0.5)[0, 0] == 0
        rows, columns = holes.any(1).nonzero()[:, 0], holes.any(0).nonzero()[:, 0]
        edges = torch.cat([holes[0], holes[-1], holes[:, 0], holes[:, -1]])
        if not len(rows) or edges.any():
            continue
        assert (len(rows), len(columns)) == (16, 16)
        assert holes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        found += 1
    assert found > 0


def test_gradients_flow_where_pictures_are_left():
    """Through all three; a pixel that is cut out gets none from what replaced it."""
    pictures = _pictures().requires_grad_()
    augment(pictures, 1.0).square().sum().backward()
    assert pictures.grad is not None
    assert torch.isfinite(pictures.grad).all()
    assert (pictures.grad.flatten(1).abs().sum(1) > 0).all()
    moved = pictures.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(translate(moved, torch.tensor([[4, 0]] * 8)).sum(), moved)
    assert gradient[0, 0, :, 0].tolist() == [1.0] * 12 + [0.0] * 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_type_and_shape_stay_in_either_layout(dtype, layout):
    pictures = _pictures().to(dtype)
    torch.manual_seed(5)
    expected = augment(pictures, 1.0)
    torch.manual_seed(5)
    made = augment(pictures.contiguous(memory_format=layout), 1.0)
    assert made.shape == pictures.shape
    assert made.dtype == dtype
    assert torch.allclose(made, expected, atol=1e-2 if dtype == torch.bfloat16 else 1e-6)


def test_as_many_numbers_are_drawn_whatever_comes_of_them():
    """So that strength alone does not move what is drawn after."""
    after = []
    for strength in (0.01, 1.0):
        torch.manual_seed(3)
        augment(torch.linspace(-1, 1, 4 * 3 * 8 * 8).view(4, 3, 8, 8), strength)
        after.append(torch.rand(1).item())
    assert after[0] == after[1]
