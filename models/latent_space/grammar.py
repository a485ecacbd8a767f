"""From the text of an address to its point.

Addresses are written in postfix notation with an `x` between points, and need no brackets: each
operation applies to the one or two points before it (docs/addresses.md). They consist of
characters that no client percent-encodes: letters, digits, `-`, `.`, `_` and `~`.
"""

import re
from collections.abc import Callable
from fractions import Fraction

from models.errors import InvalidValue
from models.latent_space import points
from models.latent_space.points import MAX_CHARACTERS, Point
from models.latent_space.spelling import from_base64url

GRAMMAR = (
    "point = seed | ~code~ | point x point .number | point x point w share | "
    "point m amount .number | point _name amount | point t factor, without spaces"
)

ATOM = "a seed such as 3, or a code between two ~"
NEXT = "the end, x and another point, .number, w, m, t or _"

# Possessive (`?+`): an amount takes all digits that it can, so that `m0.3` is no `m0` and `.3`.
_SEED = re.compile(r"[0-9]+")
_CODE = re.compile(r"~([A-Za-z0-9_-]+)~")
_CHILD = re.compile(r"\.([0-9]+)")
_SHARE = re.compile(r"w(?:([0-9]{1,4})of([0-9]{1,4})|([0-9](?:\.[0-9]{1,3})?+))")
_MUTATION = re.compile(r"m([0-9](?:\.[0-9]{1,3})?+)\.([0-9]+)")
_MOVE = re.compile(r"_([a-z]{1,20})(-?[0-9]{1,2}(?:\.[0-9]{1,2})?+)")
_FACTOR = re.compile(r"t([0-9](?:\.[0-9]{1,3})?+)")


class PointError(InvalidValue):
    """A text is no point of the latent space.

    Args:
        text: All of it.
        position: Index of the character where it is none.
        expected: What could be there, in words.
    """

    def __init__(self, text: str, position: int, expected: str) -> None:
        shown = text if len(text) <= 60 else f"...{text[max(0, position - 30) : position + 30]}..."
        found = repr(text[position]) if position < len(text) else "the end"
        super().__init__(
            "point",
            shown,
            f"this grammar: {GRAMMAR}",
            f"The address {shown!r} is no point: {found} at character {position + 1}, where "
            f"{expected} must be.",
        )
        self.position = position
        self.expected = expected


def canonical(text: str) -> str:
    """Return the one spelling of the point that a text means; errors as `parse`."""
    return parse(text).text


def parse(text: str) -> Point:
    """Return the point of an address.

    Raises:
        PointError: It is none; says what was expected where.
        InvalidValue: A number is out of range, or the address is too long or too deep.
    """
    if len(text) > MAX_CHARACTERS:
        allowed = f"at most {MAX_CHARACTERS} characters; it has {len(text)}"
        raise InvalidValue("point", f"{text[:40]}...", allowed)
    return _Parser(text).result()


class _Parser:
    """A stack of points; operations replace its top."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._stack: list[Point] = []

    def result(self) -> Point:
        self._atom()
        while self._at < len(self._text):
            self._step()
        if len(self._stack) > 1:
            raise self._error(".number or w share, to join the points before it,")
        return self._stack[0]

    def _step(self) -> None:
        operation = _OPERATIONS.get(self._text[self._at])
        if operation is None:
            raise self._error(NEXT)
        operation(self)

    def _atom(self) -> None:
        if found := self._match(_SEED):
            self._stack.append(points.seed(_integer(found[0], "seed")))
        elif found := self._match(_CODE):
            self._stack.append(points.code(self._decoded(found)))
        else:
            raise self._error(ATOM)

    def _another(self) -> None:
        self._at += 1
        self._atom()

    def _child(self) -> None:
        self._need_two("x and another point")
        found = self._required(_CHILD, "the number of a child, such as .2")
        second, first = self._stack.pop(), self._stack.pop()
        self._stack.append(points.child(first, second, _integer(found[1], "child")))

    def _place(self) -> None:
        self._need_two("x and another point")
        found = self._required(_SHARE, "a share of the way, such as w0.25 or w5of47")
        if found[2] and not int(found[2]):
            raise InvalidValue("share", found[0][1:], "a part of at least 1")
        share = Fraction(int(found[1]), int(found[2])) if found[2] else Fraction(found[3])
        end, start = self._stack.pop(), self._stack.pop()
        self._stack.append(points.place(start, end, share))

    def _mutant(self) -> None:
        found = self._required(_MUTATION, "an amount and a number, such as m0.3.7")
        amount, number = Fraction(found[1]), _integer(found[2], "mutant")
        self._stack.append(points.mutant(self._stack.pop(), amount, number))

    def _moved(self) -> None:
        found = self._required(_MOVE, "a direction and an amount, such as _ginger1.5")
        moves = {found[1]: Fraction(found[2])}
        self._stack.append(points.shifted(self._stack.pop(), moves))

    def _truncated(self) -> None:
        found = self._required(_FACTOR, "a factor, such as t0.7")
        self._stack.append(points.truncated(self._stack.pop(), Fraction(found[1])))

    def _need_two(self, expected: str) -> None:
        if len(self._stack) < 2:
            raise self._error(expected)

    def _decoded(self, found: re.Match[str]) -> bytes:
        try:
            return from_base64url(found[1])
        except ValueError as err:
            self._at = found.end() - 1
            raise self._error("one more character of base64url") from err

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

    def _required(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        found = self._match(pattern)
        if found is None:
            raise self._error(expected)
        return found

    def _error(self, expected: str) -> PointError:
        return PointError(self._text, self._at, expected)


_OPERATIONS: dict[str, Callable[[_Parser], None]] = {
    "x": _Parser._another,
    ".": _Parser._child,
    "w": _Parser._place,
    "m": _Parser._mutant,
    "_": _Parser._moved,
    "t": _Parser._truncated,
}


def _integer(digits: str, field: str) -> int:
    # Before int(), which is slow and refuses to read thousands of digits.
    significant = digits.lstrip("0") or "0"
    if len(significant) > 16:
        raise InvalidValue(field, f"{digits[:20]}...", "an integer of at most 16 digits")
    return int(significant)
