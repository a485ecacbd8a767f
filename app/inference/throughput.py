"""Running averages of how fast pictures are rendered."""

from app.inference.slot import Slot

MAX_VERSIONS = 256


class Throughput:
    """How many pictures a second a lane renders: of each version, and of all."""

    def __init__(self) -> None:
        self._by_name: dict[str, float] = {}
        self.any = 0.0
        """Pictures a second, of whatever version; 0 before the first batch."""

    def of(self, slot: Slot) -> float | None:
        """Return pictures a second of a slot; None before its first batch."""
        return self._by_name.get(slot.name)

    def note(self, slot: Slot, speed: float) -> None:
        """Add a batch's pictures a second to the averages."""
        if len(self._by_name) >= MAX_VERSIONS:  # rather forget all than grow for ever
            self._by_name.clear()
        known = self._by_name.get(slot.name, speed)
        self._by_name[slot.name] = known + (speed - known) * 0.3
        self.any += (speed - self.any) * (0.1 if self.any else 1)
