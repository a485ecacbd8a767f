"""Running averages of rendering speed."""

from app.inference.slot import Slot

MAX_VERSIONS = 256


class Throughput:
    """Speed of a lane in pictures per second: of each version, and overall."""

    def __init__(self) -> None:
        self._by_name: dict[str, float] = {}
        self.overall = 0.0  # 0 before the first batch

    def of(self, slot: Slot) -> float | None:
        """Return the speed of a slot; None before its first batch."""
        return self._by_name.get(slot.name)

    def note(self, slot: Slot, speed: float) -> None:
        """Add the speed of a batch to the averages."""
        if len(self._by_name) >= MAX_VERSIONS:  # forgotten rather than growing forever
            self._by_name.clear()
        known = self._by_name.get(slot.name, speed)
        self._by_name[slot.name] = known + (speed - known) * 0.3
        self.overall += (speed - self.overall) * (0.1 if self.overall else 1)
