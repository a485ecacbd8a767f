"""How much one client may ask for in a time: rates, kept in Redis or, without it, here."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import Redis
from starlette.requests import Request

from app.http.keys import CLIENT, Client, KeyRing
from app.problems.errors import TooManyRequests
from app.settings import AppSettings
from worker.redis_client import AWAY, Outages

PREFIX = "cattery:limits"
MINUTE_S = 60
DAY_S = 24 * 60 * 60

AWAY_S = 5.0  # after a failed call Redis is left alone: each would wait for its timeout
IN_ADVANCE = 100  # parts of a limit; one is taken at a time for the requests to come
ADVANCE_S = 60.0  # how long what was taken in advance may be used
MOST_CLIENTS = 50_000  # remembered; what others took in advance is forgotten, to their loss
UPLOAD_STEP = 1 << 20
IPV6_PREFIX = 64  # what one customer of a provider gets

_NOTHING = (0, 0.0)


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount per time.

    Attributes:
        name: What is limited, as in the RateLimit header.
        unit: Of the amount, in words.
        amount: How much; 0 for no limit.
        window_s: In how many seconds.
        setting: Name of the setting.
    """

    name: str
    unit: str
    amount: int
    window_s: int
    setting: str

    @property
    def item(self) -> RateLimitItemPerSecond:
        """The limit as the library has it."""
        return RateLimitItemPerSecond(self.amount, self.window_s, self.name)


class Rates:
    """Counts what clients take, in Redis, so that several front ends count together.

    While Redis is away each front end counts by itself. Calls block; safe to use by many threads.

    Args:
        redis: A client for it alone, or None.
    """

    def __init__(self, redis: Redis | None) -> None:
        self._here = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared: SlidingWindowCounterRateLimiter | None = None
        if redis is not None:
            pool = redis.connection_pool
            storage = RedisStorage("redis://", connection_pool=pool, key_prefix=PREFIX)
            self._shared = SlidingWindowCounterRateLimiter(storage)
        self._outages = Outages("Rate limits, which each front end now counts by itself")
        self._away_until = 0.0

    def acquire(self, limit: Limit, who: str, amount: int) -> bool:
        """Take an amount if there is as much left; return whether there was."""
        return self._ask("hit", limit, who, amount)

    def has(self, limit: Limit, who: str, amount: int) -> bool:
        """Return whether an amount is left, without taking it."""
        return self._ask("test", limit, who, amount)

    def refusal(self, limit: Limit, who: str, amount: int) -> TooManyRequests:
        """Return the error for a client that asks for more than is left."""
        counted = self._here if self._is_away() else self._shared or self._here
        try:
            reset_at, remaining = counted.get_window_stats(limit.item, who)
        except AWAY:
            reset_at, remaining = time.time(), 0
        # The window slides: an amount becomes free as fast as it may be used.
        wait_s = max(reset_at - time.time(), amount * limit.window_s / limit.amount)
        retry_after_s = min(max(1, ceil(wait_s)), limit.window_s)
        return TooManyRequests(
            limit.name,
            f"{limit.amount} {limit.unit} in {limit.window_s} s",
            limit.setting,
            retry_after_s,
            policy=f"q={limit.amount};w={limit.window_s}",
            remaining=remaining,
        )

    def _ask(self, call: str, limit: Limit, who: str, amount: int) -> bool:
        if self._shared is not None and not self._is_away():
            try:
                answer = bool(getattr(self._shared, call)(limit.item, who, cost=amount))
            except AWAY as err:
                self._outages.began(err)
                self._away_until = time.monotonic() + AWAY_S
            else:
                self._outages.ended()
                return answer
        return bool(getattr(self._here, call)(limit.item, who, cost=amount))

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until


class Meter:
    """One limit, of which some may be taken in advance: then few requests wait for Redis.

    What was taken in advance and is not used is lost, so nobody gets more than the limit.
    For one event loop.

    Args:
        rates: Where it is counted.
        limit: The limit; not 0.
        in_advance: How much is taken at a time.
    """

    def __init__(self, rates: Rates, limit: Limit, in_advance: int = 1) -> None:
        self.limit = limit
        self._rates = rates
        self._advance = in_advance
        self._left: dict[str, tuple[int, float]] = {}

    async def take(self, who: str, amount: int) -> None:
        """Take an amount.

        Raises:
            TooManyRequests: There is not as much left.
        """
        if not self._take_left(who, amount):
            await self._take_more(who, min(amount, self.limit.amount))

    async def check(self, who: str, amount: int) -> None:
        """Raise TooManyRequests unless an amount is left."""
        if not await asyncio.to_thread(self._rates.has, self.limit, who, amount):
            raise await asyncio.to_thread(self._rates.refusal, self.limit, who, amount)

    async def charged(self, chunks: AsyncIterator[bytes], who: str) -> AsyncIterator[bytes]:
        """Pass a body on, taking its bytes as they arrive: what is declared may be a lie."""
        paid = 0
        async for chunk in chunks:
            paid -= len(chunk)
            if paid < 0:
                step = max(-paid, UPLOAD_STEP)
                await self.take(who, step)
                paid += step
            yield chunk

    def _take_left(self, who: str, amount: int) -> bool:
        """Take from what was taken in advance; return whether that was enough."""
        left, until = self._left.get(who, _NOTHING)
        if left < amount or time.monotonic() >= until:
            return False
        self._left[who] = (left - amount, until)
        return True

    async def _take_more(self, who: str, amount: int) -> None:
        for wanted in (max(amount, self._advance), amount):
            if await asyncio.to_thread(self._rates.acquire, self.limit, who, wanted):
                self._keep(who, wanted - amount)
                return
            # Parallel requests of this client may have taken the last of it in advance.
            if self._take_left(who, amount):
                return
        raise await asyncio.to_thread(self._rates.refusal, self.limit, who, amount)

    def _keep(self, who: str, amount: int) -> None:
        """Add to what a client has in advance."""
        now = time.monotonic()
        left, until = self._left.get(who, _NOTHING)
        if who not in self._left and len(self._left) >= MOST_CLIENTS:
            self._left = {w: have for w, have in self._left.items() if have[1] > now}
            if len(self._left) >= MOST_CLIENTS:
                self._left.clear()
        self._left[who] = ((left if now < until else 0) + amount, now + ADVANCE_S)


class Limits:
    """All limits of a front end.

    Args:
        settings: The amounts; a limit that is not set applies only where keys are required.
        redis: A client for them alone, or None.
        ring: Tells who a request comes from.
    """

    def __init__(self, settings: AppSettings, redis: Redis | None, ring: KeyRing) -> None:
        self._ring = ring
        self._redis = redis
        rates = Rates(redis)

        def amount_of(field: str, default: int) -> int:
            given: int | None = getattr(settings, field)
            return given if given is not None else default if ring.is_required else 0

        def meter(
            name: str, unit: str, window_s: int, field: str, default: int, parts: int = 0
        ) -> Meter | None:
            amount = amount_of(field, default)
            if not amount:
                return None
            limit = Limit(name, unit, amount, window_s, f"CATTERY_{field.upper()}")
            return Meter(rates, limit, max(1, amount // parts) if parts else 1)

        cats, votes = settings.DEFAULT_CATS, settings.DEFAULT_VOTES
        size = settings.DEFAULT_UPLOAD_BYTES
        self.cats = meter("cats", "cats", MINUTE_S, "cats_per_minute", cats, IN_ADVANCE)
        self.votes = meter("votes", "votes", MINUTE_S, "votes_per_minute", votes)
        self.uploads = meter("uploads", "bytes", DAY_S, "upload_bytes_per_day", size)
        self.queued_jobs = amount_of("max_queued_jobs", settings.DEFAULT_JOBS)

    def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            self._redis.close()

    async def charge(self, meter: Meter | None, request: Request, amount: int = 1) -> None:
        """Take an amount for the client of a request.

        Raises:
            TooManyRequests: It has taken too much.
        """
        if meter is not None:
            await meter.take(await self.client(request), amount)

    async def client(self, request: Request) -> str:
        """Return who sends a request: its key if it is valid, else its address."""
        known: Client | None = request.scope.get(CLIENT)
        if known is None and "authorization" in request.headers:
            known = await self._ring.client_of(request.headers)
        if known is not None:
            return f"key:{known.id}"
        address = request.scope.get("client")
        return network_of(address[0]) if address else "unknown"


@lru_cache(maxsize=4096)
def network_of(host: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 network of an IPv6 one."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:  # what a proxy called its client
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(ip_network((int(address), IPV6_PREFIX), strict=False))
        address = address.ipv4_mapped
    return str(address)
