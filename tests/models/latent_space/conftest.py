"""Family trees drawn at random."""

from fractions import Fraction

from hypothesis import strategies as st

from models.inference.latents import MAX_SEED
from models.latent_space import child, code, mutant, place, seed, shifted, truncated
from models.latent_space.points import Moved, Truncated

numbers = st.integers(0, MAX_SEED)
thousandths = st.integers(0, 1000).map(lambda n: Fraction(n, 1000))
shares = thousandths | st.integers(1, 1000).flatmap(
    lambda of: st.integers(0, of).map(lambda part: Fraction(part, of))
)
# Names of letters that are operations, too: the grammar must tell them apart.
names = st.text("abmotwx", min_size=1, max_size=4)
moves = st.dictionaries(names, st.integers(-300, 300).map(lambda n: Fraction(n, 100)), max_size=3)
factors = st.integers(100, 1000).map(lambda n: Fraction(n, 1000))


def _shorter(origin, factor):
    return origin if isinstance(origin, Truncated) else truncated(origin, factor)


def _moved(origin, by):
    return origin if isinstance(origin, Moved) else shifted(origin, by)


def _grown(smaller):
    return (
        st.builds(child, smaller, smaller, numbers)
        | st.builds(place, smaller, smaller, shares)
        | st.builds(mutant, smaller, thousandths, numbers)
        | st.builds(_moved, smaller, moves)
        | st.builds(_shorter, smaller, factors)
    )


points = st.recursive(
    numbers.map(seed) | st.binary(min_size=1, max_size=6).map(code), _grown, max_leaves=12
)
"""Points with up to twelve seeds and codes, as `models.latent_space` builds them."""
