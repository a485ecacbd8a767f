"""The generators in service: a new version is loaded, checked and warmed up, then swapped in.

Slots are immutable: a request keeps the one it has taken, whatever is promoted or evicted.
"""

import asyncio
import logging
from collections import defaultdict
from contextlib import suppress
from functools import partial
from pathlib import Path

from app.inference.lru import Residents
from app.inference.single_flight import Loader, SingleFlight
from app.inference.slot import EngineLoader, Slot, load_engine, make_slot
from app.observability.metrics import Telemetry
from models.errors import CatteryError, CheckpointError, StoreError
from models.store import Store
from models.store.names import is_version
from models.store.records import Aliases, Card

log = logging.getLogger(__name__)


class GeneratorPool:
    """Loads, returns and swaps slots. Used from one event loop.

    Args:
        store: Holds versions and aliases.
        device: "cpu", "cuda", ...
        cache: Folder for copies of weights from an object store.
        keep: Maximum number of warm slots; previous versions are evicted last.
        max_bytes: Maximum size of all slots on the device; 0 for no limit.
        default_model: The reference that `take(None)` resolves.
        is_lazy: Whether to load models other than the default one at their first request.
            Otherwise they are preloaded as long as that evicts none.
        telemetry: Counts swaps, loads and bytes.
        load: Loads a weights file into an engine.
    """

    # Whatever touches the store or the device runs in a thread; a loaded slot is returned
    # without either, so that the hot path never leaves the event loop.

    def __init__(
        self,
        store: Store,
        device: str,
        cache: Path,
        keep: int,
        *,
        max_bytes: int = 0,
        default_model: str = "dcgan",
        is_lazy: bool = False,
        telemetry: Telemetry | None = None,
        load: EngineLoader = load_engine,
    ) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._residents = Residents(keep, max_bytes)
        self._default = default_model.partition("@")
        self._is_lazy = is_lazy
        self._telemetry = telemetry or Telemetry()
        make = partial(make_slot, store, device=device, cache=cache, load=load)
        self._loader = Loader(make)
        self._loads: SingleFlight[Slot] = SingleFlight()
        self._entering: set[str] = set()  # loads that go straight into service
        self._problems: dict[str, str] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        """Put as many models into service as there is room for; if lazy, the default one.

        A model that cannot be loaded is reported by `problems`; the others serve without it.
        """
        default = self._default[0]
        for model in sorted(await self._models(), key=lambda name: (name != default, name)):
            await self.refresh(model, is_starting=True)
        self._residents.use(default)  # loaded first, it would otherwise be evicted first

    async def close(self) -> None:
        """Stop loading and drop all slots."""
        await self._loads.close()
        await self._loader.close()
        self._residents.clear()

    def serving(self) -> dict[str, Slot]:
        """Return the loaded slots in service, by model."""
        return self._residents.serving()

    def card(self, model: str) -> Card | None:
        """Return the card of a model's version in service, loaded or evicted; None if unknown."""
        slot = self._residents.find(model)
        return slot.card if slot else self._residents.resting.get(model)

    def problems(self) -> list[str]:
        """Return why models are not up to date with the store, one sentence each."""
        return [self._problems[key] for key in sorted(self._problems)]

    def if_loaded(self, ref: str | None) -> Slot | None:
        """Return the slot of a reference if it is loaded; None for short ids and "previous"."""
        model, at, wanted = self._default if ref is None else ref.partition("@")
        is_alias = not at or wanted == "serving"
        return self._residents.use(model, None if is_alias else wanted)

    async def take(self, ref: str | None) -> Slot:
        """Return the slot of a reference, loading it if necessary.

        Args:
            ref: "model", "model@version" (an id, its first digits, "serving" or
                "previous"), or None for the default model.

        Raises:
            NotFound: No such model or version; names the known ones.
            Gone: The version was deleted.
            CheckpointError: The version is damaged.
            StoreError: It is not loaded and the store cannot be read.
        """
        found = self.if_loaded(ref)
        if found is not None:
            return found
        model, at, wanted = self._default if ref is None else ref.partition("@")
        if not at or wanted == "serving":
            if model not in self._loads:  # unknown names must not accumulate in memory
                await asyncio.to_thread(self._store.versions.resolve, model)
            return await self._loads.get(model, partial(self._first, model))
        if not is_version(wanted):
            _, wanted = await asyncio.to_thread(self._store.versions.resolve, f"{model}@{wanted}")
        return self._residents.use(model, wanted) or await self._loaded(model, wanted)

    async def refresh_all(self) -> None:
        """Update all models in the store to their aliases."""
        for model in await self._models():
            await self.refresh(model)

    async def forget(self, model: str, version: str) -> None:
        """Drop a deleted version that is not in service."""
        self._residents.drop(f"{model}@{version}")
        self._report_evictions([])

    async def _models(self) -> list[str]:
        """Return the names of all models; none while the store is unavailable."""
        try:
            names = await asyncio.to_thread(self._store.tree.names, "models")
        except StoreError as err:
            self._note("", err)
            return []
        self._problems.pop("", None)
        return names

    async def refresh(self, model: str, *, is_starting: bool = False) -> None:
        """Update a model to its aliases; if a new version fails, the old one stays in service."""
        try:
            aliases, _ = await self._swap(model)
            if not is_starting:  # first every model in service, then warm ones
                await self._tidy(model, aliases)
        except CatteryError as err:
            self._note(model, err)
        else:
            self._problems.pop(model, None)

    async def _first(self, model: str) -> Slot:
        """Load a model and put it into service."""
        _, slot = await self._swap(model, is_asked=True)
        if slot is None:  # its alias has just been removed
            _, version = await asyncio.to_thread(self._store.versions.resolve, model)
            slot = await self._loaded(model, version)
        return slot

    async def _swap(self, model: str, *, is_asked: bool = False) -> tuple[Aliases, Slot | None]:
        """Put the serving version of the store into service, one swap per model at a time.

        Returns:
            The model's aliases and its slot in service, None if it should not be loaded.
        """
        async with self._locks[model]:
            aliases = await asyncio.to_thread(self._store.aliases.get, model)
            wanted, now = aliases.serving, self._residents.find(model)
            if wanted is None:
                self._withdraw(model, now)
                return aliases, None
            if now and now.version == wanted:
                return aliases, now
            slot = self._residents.find(model, wanted)
            if slot is None and not (now or is_asked or self._is_loaded_ahead(model)):
                await self._rest(model, wanted)
                return aliases, None
            slot = slot or await self._entered(model, wanted)
            self._serve(slot)
            return aliases, slot

    def _is_loaded_ahead(self, model: str) -> bool:
        """Return whether to preload a model: it was not evicted before, and would evict none."""
        if model in self._residents.resting:
            return False
        return model == self._default[0] or (not self._is_lazy and self._residents.has_room())

    async def _rest(self, model: str, version: str) -> None:
        """Update the card of an evicted model, without loading its version."""
        self._loader.refuse_damaged(f"{model}@{version}")
        resting = self._residents.resting
        if model in resting and resting[model].version != version:
            resting[model] = await asyncio.to_thread(self._store.versions.card, model, version)

    async def _entered(self, model: str, version: str) -> Slot:
        """Load a version that goes into service as soon as it is loaded."""
        # Marked, not swapped afterwards: kept warm in between, it could be evicted at once.
        name = f"{model}@{version}"
        self._entering.add(name)
        try:
            return await self._loaded(model, version)
        except CatteryError as err:
            if self._note(model, err):
                self._telemetry.swap_failures.labels(model).inc()
            raise
        finally:
            self._entering.discard(name)

    def _serve(self, slot: Slot) -> None:
        """Put a slot into service; the replaced one stays warm if there is room."""
        old = self._residents.find(slot.model)
        if old is slot:
            return
        left = self._residents.serve(slot)
        self._telemetry.swaps.labels(slot.model).inc()
        log.info("%s is in service, replacing %s", slot.name, old.name if old else "nothing")
        self._report_evictions(left)

    def _withdraw(self, model: str, slot: Slot | None) -> None:
        """Take a model out of service, loaded or evicted; requests in progress keep its slot."""
        self._residents.withdraw(model)
        if slot is not None:
            log.info("%s is no longer in service", slot.name)
            self._report_evictions([])

    def _report_evictions(self, left: list[Slot]) -> None:
        """Log and count evictions and the bytes that remain."""
        for slot in left:
            self._telemetry.evictions.labels(slot.model).inc()
            log.info("%s was evicted to make room", slot.name)
        held = self._residents.nbytes
        self._telemetry.device_bytes.set(held)
        if 0 < self._max_bytes < held:
            log.warning("A single slot has %d bytes, the limit is %d", held, self._max_bytes)

    async def _tidy(self, model: str, aliases: Aliases) -> None:
        """Preload the version that a rollback would restore, and drop deleted ones."""
        for version in [slot.version for slot in self._residents.warm(model)]:
            if await asyncio.to_thread(self._store.versions.was_deleted, model, version):
                await self.forget(model, version)
        previous = aliases.previous
        is_worth_it = self._residents.note_previous(model, previous) and not self._is_lazy
        if previous and is_worth_it and not self._residents.find(model, previous):
            with suppress(
                CheckpointError
            ):  # logged by the loader; nothing in service depends on it
                await self._loaded(model, previous)

    async def _loaded(self, model: str, version: str) -> Slot:
        """Load a version, once for all requests that wait for it."""
        return await self._loads.get(f"{model}@{version}", partial(self._load, model, version))

    async def _load(self, model: str, version: str) -> Slot:
        slot = await self._loader.load(model, version)
        self._telemetry.loads.labels(model).inc()
        if slot.name in self._entering:
            self._serve(slot)
        else:
            self._report_evictions(self._residents.keep(slot))
        return slot

    def _note(self, model: str, err: CatteryError) -> bool:
        """Record and log why a model is not up to date; return whether that is new."""
        # Polled every few seconds: the log gets each reason once.
        is_new = self._problems.get(model) != str(err)
        if is_new:
            log.warning("Model %r is not up to date with the store: %s", model or "any", err)
        self._problems[model] = str(err)
        return is_new
