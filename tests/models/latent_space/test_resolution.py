"""What points mean: latents that stay standard normal, and never change."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from models.errors import InvalidValue, NotFound
from models.inference.latents import Interpolated, Point, latents, walk
from models.latent_space import (
    BoundPoint,
    LatentSpace,
    ancestors,
    mutant,
    of_interpolated,
    parse,
    seed,
)
from models.latent_space.codes import decoded, encoded
from models.latent_space.points import Code, code
from tests.models.latent_space.conftest import points

Z = 100
GINGER = np.eye(Z, dtype=np.float32)[0]
SPACE = LatentSpace(z_dim=Z, directions={"ginger": GINGER, "white": np.eye(Z, dtype=np.float32)[1]})
SPHERE = LatentSpace(z_dim=Z, directions=SPACE.directions, truncates=False)


def of(text, space=SPACE):
    return space.latent(parse(text))


def test_the_meaning_of_addresses_never_changes():
    """These numbers were computed once; permalinks rely on them for ever."""
    space = LatentSpace(z_dim=3, directions={"ginger": np.array([0.6, 0.8, 0.0], np.float32)})
    made = {text: of(text, space).tolist() for text in EXPECTED}
    for text, expected in EXPECTED.items():
        assert made[text] == pytest.approx(expected, abs=1e-6), text


EXPECTED = {
    "3": [-0.27322704, 0.68202871, 0.24759011],
    "3x11.2": [-0.27322704, -0.62073928, -1.54872251],
    "3x11.2x42.1": [0.42421103, -1.43882585, -0.46525654],
    "3m0.3.7": [0.31592995, 1.29212058, 0.18748613],
    "3_ginger1.5": [0.626773, 1.8820287, 0.24759011],
    "~AIAg~": [0.0, -4.0, 1.0],
    "3x11w5of47": [-0.4507159, 0.78282326, 0.16811518],
    "3t0.7": [-0.19125892, 0.47742009, 0.17331308],
}


def test_a_child_has_every_number_from_one_of_its_parents():
    first, second, kitten = of("3"), of("11"), of("3x11.2")
    from_first = kitten == first
    assert np.array_equal(kitten[~from_first], second[~from_first])
    assert 30 < from_first.sum() < 70


def test_siblings_differ_and_order_of_parents_does_not_matter():
    assert not np.array_equal(of("3x11.2"), of("3x11.3"))
    assert np.array_equal(of("3x11.2"), of("11x3.2"))


def test_grandchildren_have_genes_of_all_four_grandparents():
    """With the same number everywhere: masks that depend on the number alone would coincide."""
    kitten = of("3x11.2x7x12.2.2")
    shares = [(kitten == of(name)).mean() for name in ("3", "11", "7", "12")]
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0.1


def test_children_and_mutants_are_standard_normal():
    """Of 400 lines with three generations and a mutation each."""
    space = LatentSpace(z_dim=256, directions={})
    lines = [f"{n}x{n + 1000}.1x{n + 2000}.1m0.4.1m0.4.1x{n + 3000}.1" for n in range(400)]
    values = np.concatenate([of(line, space) for line in lines])
    assert values.mean() == pytest.approx(0.0, abs=0.01)
    assert values.std() == pytest.approx(1.0, abs=0.01)
    assert (np.abs(values) > 1.96).mean() == pytest.approx(0.05, abs=0.003)


def test_a_mutation_turns_by_its_share_of_a_right_angle():
    """Its numbers of the same seed lie on one way, and others lead elsewhere."""
    start = of("3").astype(np.float64)

    def cosine(other):
        return start @ other / np.linalg.norm(start) / np.linalg.norm(other)

    cosines = [cosine(of(f"3m{amount}.7")) for amount in ("0.1", "0.3", "0.6", "1.0")]
    assert cosines == pytest.approx([0.988, 0.891, 0.588, 0.0], abs=0.15)
    assert cosines == sorted(cosines, reverse=True)
    assert not np.array_equal(of("3m0.3.7"), of("3m0.3.8"))
    assert not np.allclose(of("3m1.0.7"), of("11m1.0.7"))


def test_a_move_adds_the_direction_by_its_amount():
    assert of("3_ginger1.5") - of("3") == pytest.approx(1.5 * GINGER, abs=1e-6)
    back = of("3_ginger1.5_white-2.0")
    assert (back - of("3"))[:2] == pytest.approx([1.5, -2.0], abs=1e-6)


def test_on_a_sphere_a_move_keeps_the_length():
    moved, start = of("3_ginger5.0", SPHERE), of("3", SPHERE)
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(start), rel=1e-6)
    assert moved[0] > start[0] + 3


def test_seeds_neighbors_walks_and_truncation_are_points_with_the_same_latents():
    """To the last bit: they have had addresses before, whose images must not change."""
    known: list[int | Interpolated] = [
        3,
        Interpolated(start=3, end=7, share=0.2),
        Interpolated(start=3, end=3, truncation=0.7),
    ]
    known += walk(3, 11, 48, truncation=0.85)
    ours: list[Point] = [BoundPoint(of_interpolated(point), SPACE) for point in known]
    assert np.array_equal(latents(ours, Z), latents([*known], Z))
    assert str(of_interpolated(known[1])) == "3x7w0.2"
    assert str(of_interpolated(known[4])) == "3x11w1of47t0.85"


def test_a_code_is_its_latent_rounded_to_a_thirty_second():
    z = of("3")
    found = code(encoded(z))
    assert np.abs(SPACE.latent(found) - z).max() <= 1 / 64
    assert np.array_equal(of(found.text), SPACE.latent(found))
    assert decoded(encoded(np.array([9, -9, 0.03], np.float32))).tolist() == [3.96875, -4, 0.03125]


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(points)
def test_every_point_has_one_finite_latent(point):
    letters = {name: GINGER for one in [point] for name in _names(one)}
    space = LatentSpace(z_dim=Z, directions=letters)
    if any(isinstance(one, Code) for one in ancestors(point)):
        with pytest.raises(InvalidValue, match=f"{Z} bytes"):
            space.latent(point)
        return
    z = space.latent(point)
    assert z.shape == (Z,)
    assert z.dtype == np.float32
    assert np.isfinite(z).all()
    assert np.array_equal(z, space.latent(parse(point.text)))


def _names(point):
    return {name for name, _ in getattr(point, "moves", ())} | {
        name for source in point.sources for name in _names(source)
    }


def test_what_a_version_has_not_is_refused():
    with pytest.raises(NotFound, match=r"direction 'fluffy'.*ginger, white"):
        of("3_fluffy1.0x11.2")
    with pytest.raises(InvalidValue, match="100 bytes"):
        SPACE.latent(Code(bytes(99)))
    with pytest.raises(InvalidValue, match="truncation"):
        of("3t0.5", SPHERE)
    with pytest.raises(InvalidValue, match="z_dim"):
        BoundPoint(seed(3), SPACE).latent(128)


def test_a_family_as_large_as_an_address_holds_is_resolved_quickly():
    """Half a thousand ancestors; each is computed once."""
    line = parse("3" + "".join(f"x{n}.0m0.1.0" for n in range(30)))
    assert line.depth == 60
    twice = mutant(line, Fraction(1, 2), 1)
    assert np.isfinite(SPACE.latent(twice)).all()
