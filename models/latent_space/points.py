"""Points of the latent space as values; their constructors give each point one spelling.

Build points with the functions below rather than the classes: they put parents in order, drop
what changes nothing, and check ranges. `text` is the canonical address of a point, and what the
randomness of children and mutants is derived from, so it must never change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from models.errors import InvalidValue
from models.inference.latents import Interpolated, check_seed
from models.latent_space.spelling import DECIMAL, base64url, decimal, share_text

MAX_CHARACTERS = 1500
MAX_DEPTH = 64
LARGEST_MOVE = Fraction(10)
LEAST_TRUNCATION = Fraction(1, 10)


class Point:
    """A point of the latent space."""

    @cached_property
    def text(self) -> str:
        """Its canonical address."""
        raise NotImplementedError

    @property
    def sources(self) -> tuple["Point", ...]:
        """The points that it is made from."""
        return ()

    @cached_property
    def depth(self) -> int:
        """Operations on the longest way to a seed or code."""
        return 1 + max(source.depth for source in self.sources) if self.sources else 0

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Seed(Point):
    """The latent of a seed."""

    number: int

    @cached_property
    def text(self) -> str:
        """Its canonical address."""
        return str(self.number)


@dataclass(frozen=True)
class Code(Point):
    """A latent written out, one signed byte a number (`models.latent_space.codes`)."""

    data: bytes

    @cached_property
    def text(self) -> str:
        """Its canonical address."""
        return f"~{base64url(self.data)}~"


@dataclass(frozen=True)
class Child(Point):
    """A child of two points, which has each number of its latent from one of them."""

    first: Point
    second: Point
    number: int

    @cached_property
    def text(self) -> str:
        """Its canonical address."""
        return f"{self.first.text}x{self.second.text}.{self.number}"

    @property
    def sources(self) -> tuple[Point, ...]:
        """Its parents."""
        return (self.first, self.second)


@dataclass(frozen=True)
class Place(Point):
    """A place on the way from one point to another, along the great circle."""

    start: Point
    end: Point
    share: Fraction

    @cached_property
    def text(self) -> str:
        """Its canonical address."""
        return f"{self.start.text}x{self.end.text}w{share_text(self.share)}"

    @property
    def sources(self) -> tuple[Point, ...]:
        """Both ends of the way."""
        return (self.start, self.end)


@dataclass(frozen=True)
class Mutant(Point):
    """A point turned toward normals of its own by `amount` of a right angle."""

    origin: Point
    amount: Fraction
    number: int

    @cached_property
    def text(self) -> str:
        """Its canonical address."""
        return f"{self.origin.text}m{decimal(self.amount)}.{self.number}"

    @property
    def sources(self) -> tuple[Point, ...]:
        """The point it mutated from."""
        return (self.origin,)


@dataclass(frozen=True)
class Moved(Point):
    """A point moved along directions of a version: pairs of a name and an amount, by name."""

    origin: Point
    moves: tuple[tuple[str, Fraction], ...]

    @cached_property
    def text(self) -> str:
        """Its canonical address."""
        return self.origin.text + "".join(f"_{name}{decimal(by)}" for name, by in self.moves)

    @property
    def sources(self) -> tuple[Point, ...]:
        """The point it was moved from."""
        return (self.origin,)


@dataclass(frozen=True)
class Truncated(Point):
    """A point whose latent is multiplied by a factor."""

    origin: Point
    factor: Fraction

    @cached_property
    def text(self) -> str:
        """Its canonical address."""
        return f"{self.origin.text}t{decimal(self.factor)}"

    @property
    def sources(self) -> tuple[Point, ...]:
        """The point that it is a shorter version of."""
        return (self.origin,)


def seed(number: int) -> Seed:
    """Return a seed's point; InvalidValue if it is none."""
    return Seed(check_seed(number))


def code(data: bytes) -> Code:
    """Return the point of a latent's code; InvalidValue if it is empty."""
    if not data:
        raise InvalidValue("code", "", "one byte for each number of the latent")
    return Code(data)


def child(first: Point, second: Point, number: int) -> Point:
    """Return a child of two points, which does not depend on their order.

    A child of a point with itself is that point.

    Raises:
        InvalidValue: The number is no seed, or the family tree is too deep or too long.
    """
    check_seed(number, "child")
    first, second = sorted((first, second), key=_rank)
    return first if first == second else _checked(Child(first, second, number))


def place(start: Point, end: Point, share: Fraction) -> Point:
    """Return the place at a share of the way; at 0, 1 or without a way it is an end itself.

    Raises:
        InvalidValue: The share is not from 0 to 1, or has no spelling.
    """
    _check_range("share", share, Fraction(0), Fraction(1))
    if share in (0, 1) or start == end:
        return end if share == 1 else start
    return _checked(Place(start, end, share))


def mutant(origin: Point, amount: Fraction, number: int) -> Point:
    """Return a mutant of a point: at 0 the point itself, at 1 an unrelated one.

    Raises:
        InvalidValue: The amount is not from 0 to 1 with at most three decimals, or the number
            is no seed.
    """
    _check_range("mutation", amount, Fraction(0), Fraction(1), decimals=3)
    check_seed(number, "mutant")
    return _checked(Mutant(origin, amount, number)) if amount else origin


def shifted(origin: Point, moves: Mapping[str, Fraction]) -> Point:
    """Return a point moved along directions; moves of a moved point are added up.

    Raises:
        InvalidValue: An amount is not from -10 to 10 with at most two decimals, or a name
            does not consist of up to twenty small letters.
    """
    if isinstance(origin, Moved):
        moves = _added(dict(origin.moves), moves)
        origin = origin.origin
    for name, by in moves.items():
        check_direction(name)
        _check_range(name, by, -LARGEST_MOVE, LARGEST_MOVE, decimals=2)
    kept = tuple(sorted((name, by) for name, by in moves.items() if by))
    return _checked(Moved(origin, kept)) if kept else origin


def truncated(origin: Point, factor: Fraction) -> Point:
    """Return a point with its latent shortened by a factor; 1 changes nothing.

    Raises:
        InvalidValue: The factor is not from 0.1 to 1 with at most three decimals, or the
            point is already truncated.
    """
    _check_range("truncation", factor, LEAST_TRUNCATION, Fraction(1), decimals=3)
    if isinstance(origin, Truncated):
        raise InvalidValue("truncation", decimal(factor), "one truncation of a point")
    return _checked(Truncated(origin, factor)) if factor != 1 else origin


def of_interpolated(point: int | Interpolated) -> Point:
    """Return a seed, neighbor or place of a walk, with its truncation, as a point.

    Raises:
        InvalidValue: A value is out of range or has no spelling.
    """
    if isinstance(point, int):
        return seed(point)
    share = Fraction(point.share).limit_denominator(1000)
    factor = Fraction(point.truncation).limit_denominator(1000)
    return truncated(place(seed(point.start), seed(point.end), share), factor)


def ancestors(point: Point) -> Iterator[Point]:
    """Yield a point and all points that it is made from, each once, sources last."""
    found = {point.text: point}
    waiting = [point]
    while waiting:
        one = waiting.pop(0)
        yield one
        for source in one.sources:
            if source.text not in found:
                found[source.text] = source
                waiting.append(source)


def check_direction(name: str) -> str:
    """Return a direction's name; InvalidValue unless it is 1 to 20 letters from a to z."""
    if not (name.isascii() and name.isalpha() and name.islower() and len(name) <= 20):
        raise InvalidValue("direction", name, "1 to 20 letters from a to z")
    return name


def _rank(point: Point) -> tuple[bool, int, str]:
    # What has a history comes first, so that a line of descent reads from left to right.
    return (isinstance(point, Seed), len(point.text), point.text)


def _added(moves: dict[str, Fraction], more: Mapping[str, Fraction]) -> dict[str, Fraction]:
    return {name: moves.get(name, Fraction(0)) + more.get(name, 0) for name in {*moves, *more}}


def _checked(point: Point) -> Point:
    if point.depth > MAX_DEPTH:
        raise InvalidValue(
            "point", _beginning(point.text), f"at most {MAX_DEPTH} generations in a family tree"
        )
    if len(point.text) > MAX_CHARACTERS:
        allowed = f"an address of at most {MAX_CHARACTERS} characters; this has {len(point.text)}"
        raise InvalidValue("point", _beginning(point.text), allowed)
    return point


def _beginning(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."


def _check_range(
    field: str, value: Fraction, least: Fraction, most: Fraction, *, decimals: int | None = None
) -> None:
    is_spelled = decimals is None or (value * 10**decimals).denominator == 1
    if not (least <= value <= most and is_spelled and value.denominator <= 10**DECIMAL):
        some = f" with at most {decimals} decimals" if decimals else ""
        raise InvalidValue(field, float(value), f"{float(least):g} to {float(most):g}{some}")
