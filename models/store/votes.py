"""Votes between versions: which of two cats somebody liked better, without knowing whose it was.

Each vote is a file of its own that is created once and never changes, so that votes that arrive
at several front ends at once all count, on any kind of store. Its name holds the choice: a tally
lists names and reads nothing.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from math import sqrt

from models.errors import Conflict
from models.store.names import marker
from models.store.tree import Tree

MOST_VOTES = 2000  # of a pair: the interval is then two percent wide to each side, at most
QUANTILE = 1.959964  # of the standard normal distribution, for a 95 % interval

Ref = tuple[str, str]  # model and version

_NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Votes of one version, against one other or all.

    Attributes:
        share: Wins among the votes that chose one; None without any.
        interval: 95 % interval of the share (Wilson 1927, JASA 22).
    """

    wins: int
    losses: int
    ties: int
    share: float | None
    interval: tuple[float, ...] | None

    @classmethod
    def of(cls, wins: int, losses: int, ties: int) -> "Tally":
        """Return the tally of these numbers."""
        chosen = wins + losses
        return cls(
            wins=wins,
            losses=losses,
            ties=ties,
            share=round(wins / chosen, 4) if chosen else None,
            interval=wilson(wins, chosen) if chosen else None,
        )


class Votes:
    """All votes of the store: `votes/{pair}/{vote}-{choice}`."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def add(self, shown: tuple[Ref, Ref], chosen: Ref | None, key: str) -> bool:
        """Add a vote; the same key again changes nothing.

        Args:
            shown: The two versions.
            chosen: The better one, or None if neither was.
            key: The client's, one for each time it shows a pair.

        Returns:
            Whether it counts: False if the pair has as many votes as are kept.

        Raises:
            Conflict: The key was used for another choice.
        """
        folder = _folder(*shown)
        vote = hashlib.sha256(key.encode()).hexdigest()[:20]
        choice = _NONE if chosen is None else chosen[1] + _mark(chosen[0])
        with self._tree.lock(folder):
            names = self._tree.names(folder)
            known = next((name for name in names if name.startswith(f"{vote}-")), None)
            if known is not None:
                if known != f"{vote}-{choice}":
                    raise Conflict(
                        "The Idempotency-Key was used for another vote.",
                        "Choose a new key for each pair that is shown.",
                    )
                return True
            if len(names) >= MOST_VOTES:
                return False
            self._tree.create(f"{folder}/{vote}-{choice}", marker())
            return True

    def tallies(self, model: str) -> dict[str, dict[Ref, Tally]]:
        """Return the tallies of a model's versions, against each other that they were shown with.

        Raises:
            StoreError: The store cannot be read.
        """
        found: dict[str, dict[Ref, Tally]] = {}
        for pair in self._tree.names("votes"):
            if pair.count("~") != 1:  # a stray file must not hide the votes
                continue
            one, other = (_ref(part) for part in pair.split("~"))
            for ref, against in ((one, other), (other, one)):
                if ref[0] == model:
                    found.setdefault(ref[1], {})[against] = self._tally(ref, against, pair)
        return found

    def _tally(self, ref: Ref, other: Ref, pair: str) -> Tally:
        choices = Counter(name.partition("-")[2] for name in self._tree.names(f"votes/{pair}"))
        wins, losses = (choices[version + _mark(model)] for model, version in (ref, other))
        return Tally.of(wins, losses, choices[_NONE])


def total(tallies: dict[Ref, Tally]) -> Tally:
    """Return the sum of tallies of one version."""
    each = tallies.values()
    wins, losses = sum(tally.wins for tally in each), sum(tally.losses for tally in each)
    return Tally.of(wins, losses, sum(tally.ties for tally in each))


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Wilson's score; trials of at least 1."""
    share, square = hits / trials, QUANTILE**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    spread = sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    half = QUANTILE * spread / (1 + square / trials)
    return round(middle - half, 4), round(middle + half, 4)


def _folder(one: Ref, other: Ref) -> str:
    return "votes/" + "~".join(sorted(f"{model}@{version}" for model, version in (one, other)))


def _ref(text: str) -> Ref:
    model, _, version = text.partition("@")
    return model, version


def _mark(model: str) -> str:
    """Return what tells models apart that have a version in common: equal weights, equal id."""
    return "-" + hashlib.sha256(model.encode()).hexdigest()[:6]
