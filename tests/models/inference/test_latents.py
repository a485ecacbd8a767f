import numpy as np
import pytest

from models.errors import InvalidValue
from models.inference.latents import MAX_SEED, Interpolated, latents, walk


def test_a_seed_has_one_latent_whatever_it_travels_with():
    """Neighbors and order in a batch change nothing."""
    alone = latents([7], 100)[0]
    assert np.array_equal(alone, latents([1, 2, 7, MAX_SEED], 100)[2])
    assert np.array_equal(alone, latents([7, 7], 100)[1])
    place = Interpolated(start=7, end=8, share=0.25)
    assert np.array_equal(latents([1, place, 2], 100)[1], latents([place], 100)[0])


def test_the_scheme_never_changes():
    """These numbers were drawn once; permalinks rely on them for ever."""
    expected = [2.28444147, -1.54945076, 1.92458534, 0.42421103, -1.43882585, -0.46525654]
    assert latents([0, 42], 3).ravel().tolist() == pytest.approx(expected, abs=1e-6)


def test_latents_are_standard_normal():
    values = latents(range(400), 256).ravel()
    assert values.mean() == pytest.approx(0.0, abs=0.01)
    assert values.std() == pytest.approx(1.0, abs=0.01)
    assert (np.abs(values) > 1.96).mean() == pytest.approx(0.05, abs=0.003)
    assert latents([3], 7).shape == (1, 7)


def test_a_walk_begins_and_ends_at_its_seeds_exactly():
    for start, end in ((3, 11), (11, 3), (0, MAX_SEED)):
        on_the_way = latents(walk(start, end, 5), 100)
        assert np.array_equal(on_the_way[[0, -1]], latents([start, end], 100))


def test_the_middle_of_a_walk_is_where_the_great_circle_says():
    """By hand, of the latents above: unit vectors a and b, (a + b) / 2 cos(angle / 2).

    Lengths 3.365041 and 1.570554, cosine 0.435773, so 2 cos(angle / 2) = 1.694563; the
    units' sum (0.948978, -1.376582, 0.275699) over that, times the mean length 2.467797.
    """
    middle = latents(walk(0, 42, 3), 3)[1]
    assert middle.tolist() == pytest.approx([1.38200, -2.00472, 0.40150], abs=1e-5)


def test_a_walk_turns_by_equal_angles_and_changes_its_length_evenly():
    on_the_way = latents(walk(3, 11, 9), 100).astype(np.float64)
    lengths = np.linalg.norm(on_the_way, axis=1)
    units = on_the_way / lengths[:, None]
    whole = np.arccos(units[0] @ units[-1])
    turns = np.arccos((units[1:] * units[:-1]).sum(1))
    assert turns.tolist() == pytest.approx([whole / 8] * 8, abs=1e-5)
    assert lengths.tolist() == pytest.approx(np.linspace(lengths[0], lengths[-1], 9), abs=1e-5)
    assert abs(lengths[0] - lengths[-1]) > 0.1


def test_a_walk_from_a_seed_to_itself_stands_still():
    """There is no way between, and nothing to divide by."""
    assert np.array_equal(latents(walk(7, 7, 3), 100), latents([7, 7, 7], 100))


def test_truncation_shortens_a_latent_and_turns_it_nowhere():
    """Half of a seed's latent, and half of a place's."""
    half = latents([Interpolated(start=7, end=7, truncation=0.5)], 100)
    assert np.array_equal(half, latents([7], 100) * np.float32(0.5))
    between = [Interpolated(start=7, end=8, share=0.3, truncation=part) for part in (1.0, 0.5)]
    whole, halved = latents(between, 100)
    assert np.array_equal(halved, whole * np.float32(0.5))


@pytest.mark.parametrize(
    ("place", "told"),
    [(seed, str(MAX_SEED)) for seed in (-1, MAX_SEED + 1, 1.5, True, "7")]
    + [
        (Interpolated(start=1, end=2, share=1.5), "share.*0 to 1"),
        (Interpolated(start=1, end=2, share=float("nan")), "share.*0 to 1"),
        (Interpolated(start=1, end=2, truncation=-0.1), "trunc.*0 to 1"),
    ],
)
def test_what_is_no_seed_and_no_place_is_refused(place, told):
    with pytest.raises(InvalidValue, match=told):
        latents([place], 4)
    with pytest.raises(InvalidValue, match="at least 2"):
        walk(1, 2, 1)
