"""How long a client is waited for: the reasons for which a connection ends, and least rates."""

from enum import StrEnum


class Reason(StrEnum):
    """Why the server closed a connection; the label of the counter."""

    IDLE = "idle"
    """Nothing was asked for as long as a connection is kept."""

    HEADERS = "headers"
    """A request's headers did not come to an end."""

    LONG_HEADERS = "long_headers"
    """A request's headers, or what follows its body, came to no end that fits."""

    BODY = "body"
    """A request's body came too slowly, or stopped coming."""

    ANSWER = "answer"
    """An answer was taken too slowly, or not at all."""

    UNSENT = "unsent"
    """Too many bytes waited for all clients together, and this one had taken none for longest."""

    CROWDED = "crowded"
    """It rested, and a new one needed its place."""

    REFUSED = "refused"
    """There was no place for it."""

    PIPELINED = "pipelined"
    """It sent too many requests before their answers; those that were taken were answered."""

    INVALID = "invalid"
    """What it sent is not HTTP, or trailers, which are not taken."""


class Pace:
    """Whether bytes move at a least rate, averaged over windows that follow each other.

    A pause of nearly a window is no harm, if the rest of it makes up for that.
    """

    __slots__ = ("_began", "_moved")

    def __init__(self) -> None:
        self._began: float | None = None
        self._moved = 0

    def restart(self) -> None:
        """Forget what was seen: nothing has to move at the moment."""
        self._began = None

    def is_too_slow(self, now: float, moved: int, window_s: float, least: float) -> bool:
        """Say whether a window has passed with too little; a good one is followed by the next.

        Args:
            now: The event loop's time, seconds.
            moved: All bytes that ever moved.
            window_s: Length of a window, seconds.
            least: Bytes a second that must move.
        """
        if self._began is not None and now - self._began < window_s:
            return False
        is_first = self._began is None
        too_few = not is_first and moved - self._moved < least * (now - (self._began or 0.0))
        self._began, self._moved = now, moved
        return too_few
