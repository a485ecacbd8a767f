"""The generators that are in the device's memory now, and which of them leaves first.

A slot in service answers for its model, a warm one is at hand beside them. The least
recently used leave when there are too many or when they are too large together: warm
ones first, then those in service, which are loaded again when somebody asks for them.
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
    used: int  # when, in uses of all slots


class Residents:
    """Slots in memory. Used from one thread; `serving` may be called from any.

    Args:
        keep: Most slots that are warm and not in service.
        max_bytes: Most that all of them together may hold on the device, bytes; 0: no limit.
            One that is larger than this all alone stays, alone.

    Attributes:
        resting: Cards of what was in service last and has left to make room, by model.
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
        """What they hold on the device together, bytes."""
        return sum(slot.engine.nbytes for slot in self.all())

    def serving(self) -> dict[str, Slot]:
        """Return the slot in service of each model that has one in memory."""
        return {model: one.slot for model, one in self._serving.copy().items()}

    def warm(self, model: str | None = None) -> list[Slot]:
        """Return the slots not in service: one model's, or all."""
        return [one.slot for one in self._warm.values() if model in (None, one.slot.model)]

    def all(self) -> list[Slot]:
        """Return all slots, those in service first."""
        return [one.slot for one in (*self._serving.values(), *self._warm.values())]

    def find(self, model: str, version: str | None = None) -> Slot | None:
        """Return a slot without counting that as a use.

        Args:
            model: Its model.
            version: A full version id; None for the one in service.
        """
        found = self._find(model, version)
        return found.slot if found else None

    def use(self, model: str, version: str | None = None) -> Slot | None:
        """Return a slot, and note that it is used now; as `find`, in constant time."""
        found = self._find(model, version)
        if found is None:
            return None
        found.used = next(self._uses)
        return found.slot

    def serve(self, slot: Slot) -> list[Slot]:
        """Put a slot into service, in one step; the one before stays warm if there is room.

        Returns:
            What had to leave.
        """
        old = self._serving.get(slot.model)
        self._warm.pop(slot.name, None)
        # A model that nobody asks for is used no more because it has a new version.
        self._serving[slot.model] = _Resident(slot, old.used if old else next(self._uses))
        self.resting.pop(slot.model, None)
        if old is not None:
            self._warm[old.slot.name] = old
            self._previous[slot.model] = old.slot.version
        return self._make_room(slot)

    def keep(self, slot: Slot) -> list[Slot]:
        """Keep a slot warm that somebody has asked for.

        Returns:
            What had to leave; perhaps the slot itself, where the others are to go back to.
        """
        self._warm[slot.name] = _Resident(slot, next(self._uses))
        return self._make_room(slot)

    def drop(self, name: str) -> None:
        """Let go of a slot that is not in service, if it is there."""
        self._warm.pop(name, None)

    def note_previous(self, model: str, version: str | None) -> bool:
        """Note which version a rollback brings back; it is kept longest of all warm ones.

        Returns:
            Whether there is room for it, so that it is worth loading before it is asked for.
        """
        self._previous[model] = version
        others = sum(self._is_previous(slot) and slot.model != model for slot in self.warm())
        # With more models than places, reloading them in turn would never end.
        return version is not None and others < self._keep and self.has_room()

    def has_room(self) -> bool:
        """Whether one more as large as the largest would fit: then loading drives nobody out."""
        sizes = [slot.engine.nbytes for slot in self.all()]
        return not self._max_bytes or not sizes or sum(sizes) + max(sizes) <= self._max_bytes

    def clear(self) -> None:
        """Let go of all."""
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
        """Let the least recently used go until all limits hold; never the newest for its size."""
        left = []
        while len(self._warm) > self._keep:
            left.append(self._let_go(self._warm.values(), lambda one: self._is_previous(one.slot)))
        while self._max_bytes and self.nbytes > self._max_bytes:
            others = [
                one
                for one in (*self._warm.values(), *self._serving.values())
                if one.slot is not newest
            ]
            if not others:
                break
            left.append(self._let_go(others, lambda one: self._rank(one.slot, newest.model)))
        return left

    def _rank(self, slot: Slot, asked: str) -> int:
        """Return who leaves first while a model is asked for: the lowest."""
        if slot.name in self._warm:
            return int(self._is_previous(slot))
        return 2 if slot.model != asked else 3

    def _let_go(self, among: Iterable[_Resident], rank: Callable[[_Resident], int]) -> Slot:
        """Let the least recently used of the lowest rank go."""
        slot = min(among, key=lambda one: (rank(one), one.used)).slot
        if self._warm.pop(slot.name, None) is None:
            del self._serving[slot.model]
            self.resting[slot.model] = slot.card
        return slot
