"""How fast pictures are made, as running averages."""

from app.inference.slot import Slot

MOST_SPEEDS = 256
"""Versions whose speed is remembered."""


class Speeds:
    """How fast a lane makes pictures, of each slot and of all."""

    def __init__(self) -> None:
        self._by_name: dict[str, float] = {}
        self.any = 0.0
        """Pictures a second, of whatever slot; 0 before the first."""

    def of(self, slot: Slot) -> float | None:
        """Return pictures a second of a slot; None before its first batch."""
        return self._by_name.get(slot.name)

    def note(self, slot: Slot, speed: float) -> None:
        """Take a batch's pictures a second into the averages."""
        if len(self._by_name) >= MOST_SPEEDS:
            self._by_name.clear()
        known = self._by_name.get(slot.name, speed)
        self._by_name[slot.name] = known + (speed - known) * 0.3
        self.any += (speed - self.any) * (0.1 if self.any else 1)
