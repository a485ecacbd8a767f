"""The slots in device memory, evicted least recently used first.

Besides the slot in service of each model, others are kept warm: loaded, for requests that name
their version and for rollbacks. Warm ones are evicted first, then those in service.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count

from app.inference.slot import Slot
from models.store.records import Card


@dataclass(slots=True, eq=False)
class _Resident:
    """One slot in memory."""

    slot: Slot
    used: int  # logical time of the last use


class Residents:
    """Slots in memory. Used from one thread; `serving` may be called from any.

    Args:
        keep: Maximum number of warm slots.
        max_bytes: Maximum size of all slots on the device; 0 for no limit. A single slot that
            exceeds it stays.

    Attributes:
        resting: Cards of evicted versions that were in service, by model.
    """

    def __init__(self, keep: int, max_bytes: int = 0) -> None:
        self._keep = keep
        self._max_bytes = max_bytes
        self._uses = count()
        self._serving: dict[str, _Resident] = {}
        self._warm: dict[str, _Resident] = {}
        self._previous: dict[str, str | None] = {}
        self.resting: dict[str, Card] = {}

    @property
    def nbytes(self) -> int:
        """Size of all slots on the device, bytes."""
        return sum(slot.engine.nbytes for slot in self.all())

    def serving(self) -> dict[str, Slot]:
        """Return the loaded slots in service, by model."""
        # A copy: other threads ask while the pool swaps.
        return {model: one.slot for model, one in self._serving.copy().items()}

    def warm(self, model: str | None = None) -> list[Slot]:
        """Return the warm slots of a model, or of all."""
        return [one.slot for one in self._warm.values() if model in (None, one.slot.model)]

    def all(self) -> list[Slot]:
        """Return all slots, those in service first."""
        return [one.slot for one in (*self._serving.values(), *self._warm.values())]

    def find(self, model: str, version: str | None = None) -> Slot | None:
        """Return a slot without counting that as a use; by default the one in service."""
        found = self._find(model, version)
        return found.slot if found else None

    def use(self, model: str, version: str | None = None) -> Slot | None:
        """Return a slot as `find` does, and count that as a use."""
        found = self._find(model, version)
        if found is None:
            return None
        found.used = next(self._uses)
        return found.slot

    def serve(self, slot: Slot) -> list[Slot]:
        """Put a slot into service, keep the replaced one warm, and return evicted slots."""
        old = self._serving.get(slot.model)
        self._warm.pop(slot.name, None)
        # A new version alone does not make an idle model recently used.
        self._serving[slot.model] = _Resident(slot, old.used if old else next(self._uses))
        self.resting.pop(slot.model, None)
        if old is not None:
            self._warm[old.slot.name] = old
            self._previous[slot.model] = old.slot.version
        return self._make_room(slot)

    def keep(self, slot: Slot) -> list[Slot]:
        """Keep a slot warm; return evicted slots, itself if all others are kept for rollbacks."""
        self._warm[slot.name] = _Resident(slot, next(self._uses))
        return self._make_room(slot)

    def withdraw(self, model: str) -> None:
        """Take a model out of service, and drop its slot."""
        self._serving.pop(model, None)
        self._previous.pop(model, None)
        self.resting.pop(model, None)

    def drop(self, name: str) -> None:
        """Drop a slot that is not in service, if it is loaded."""
        self._warm.pop(name, None)

    def note_previous(self, model: str, version: str | None) -> bool:
        """Set the version that a rollback restores; return whether there is room to preload it."""
        self._previous[model] = version
        others = sum(self._is_previous(slot) and slot.model != model for slot in self.warm())
        # With more models than places, they would evict and reload each other forever.
        return version is not None and others < self._keep and self.has_room()

    def has_room(self) -> bool:
        """Return whether another slot would fit without an eviction."""
        # Its size is unknown before it is loaded: assume that of the largest.
        sizes = [slot.engine.nbytes for slot in self.all()]
        return not self._max_bytes or not sizes or sum(sizes) + max(sizes) <= self._max_bytes

    def clear(self) -> None:
        """Drop all slots."""
        self._serving.clear()
        self._warm.clear()

    def _find(self, model: str, version: str | None) -> _Resident | None:
        found = self._serving.get(model)
        if version is None or (found is not None and found.slot.version == version):
            return found
        return self._warm.get(f"{model}@{version}")

    def _is_previous(self, slot: Slot) -> bool:
        return self._previous.get(slot.model) == slot.version

    def _make_room(self, newest: Slot) -> list[Slot]:
        """Evict the least recently used until all limits hold; bytes never evict the newest."""
        left = []
        while len(self._warm) > self._keep:
            left.append(self._evict(self._warm.values(), lambda one: self._is_previous(one.slot)))
        while self._max_bytes and self.nbytes > self._max_bytes:
            others = [
                one
                for one in (*self._warm.values(), *self._serving.values())
                if one.slot is not newest
            ]
            if not others:
                break
            left.append(self._evict(others, lambda one: self._rank(one.slot, newest.model)))
        return left

    def _rank(self, slot: Slot, asked: str) -> int:
        """Return the rank of eviction when a model is requested; lowest first."""
        if slot.name in self._warm:
            return int(self._is_previous(slot))
        return 2 if slot.model != asked else 3

    def _evict(self, among: Iterable[_Resident], rank: Callable[[_Resident], int]) -> Slot:
        """Evict the least recently used slot of the lowest rank."""
        slot = min(among, key=lambda one: (rank(one), one.used)).slot
        if self._warm.pop(slot.name, None) is None:
            del self._serving[slot.model]
            self.resting[slot.model] = slot.card
        return slot
