"""The generators in service: a new version is loaded, checked and warmed up, then swapped in.

A slot is an immutable value. Whoever has taken one keeps it until done, whatever is promoted
or evicted meanwhile; a live generator is never written to.
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
    """Returns slots and swaps what is in service.

    Used from one event loop. Whatever touches the store or the device runs in a thread; a slot
    in memory is returned without touching either.

    Args:
        store: Holds versions and aliases.
        device: "cpu", "cuda", ...
        cache: Folder for copies of weights from an object store.
        keep: How many slots not in service stay warm; previous ones are kept longest.
        max_bytes: Most bytes of all slots on the device; 0 for no limit. The least recently
            used are evicted first. A slot that exceeds it alone is served all the same.
        default_model: What `take(None)` means.
        is_lazy: Whether models other than the default one are loaded at their first request
            only. Otherwise they are preloaded as long as that evicts none.
        telemetry: Where swaps, loads and bytes are counted.
        load: Loads a weights file into an engine.
    """

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
        self._entering: set[str] = set()
        self._problems: dict[str, str] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        """Put as many models into service as there is room for; when lazy, the default one.

        A model that cannot be loaded is reported by `problems`; the others serve without it.
        """
        default = self._default[0]
        for model in sorted(await self._models(), key=lambda name: (name != default, name)):
            await self._follow(model, is_starting=True)
        self._residents.use(default)  # loaded first, it would otherwise be evicted first

    async def close(self) -> None:
        """Stop loading and let go of every slot."""
        await self._loads.close()
        await self._loader.close()
        self._residents.clear()

    def serving(self) -> dict[str, Slot]:
        """Return the slot in service of each model that has one in memory."""
        return self._residents.serving()

    def card(self, model: str) -> Card | None:
        """Return the card of a model's version in service, loaded or evicted.

        Returns:
            None for a model that this process has not served yet.
        """
        slot = self._residents.find(model)
        return slot.card if slot else self._residents.resting.get(model)

    def problems(self) -> list[str]:
        """Return why models do not follow the store, one sentence each."""
        return [self._problems[key] for key in sorted(self._problems)]

    def at_hand(self, ref: str | None) -> Slot | None:
        """Return the slot that `take` would return, or None where it would have to wait.

        Args:
            ref: As for `take`; shortened versions and "previous" always give None.
        """
        model, at, wanted = self._default if ref is None else ref.partition("@")
        is_alias = not at or wanted == "serving"
        return self._residents.use(model, None if is_alias else wanted)

    async def take(self, ref: str | None) -> Slot:
        """Return the slot that a reference means now.

        Args:
            ref: "model", "model@version" (an id, its first digits, "serving" or
                "previous"), or None for the default model.

        Raises:
            NotFound: No such model or version; names the known ones.
            Gone: The version was deleted.
            CheckpointError: The version is damaged.
            StoreError: It is not in memory and the store cannot be read.
        """
        found = self.at_hand(ref)
        if found is not None:
            return found
        model, at, wanted = self._default if ref is None else ref.partition("@")
        if not at or wanted == "serving":
            if model not in self._loads:  # invented names must not accumulate in memory
                await asyncio.to_thread(self._store.versions.resolve, model)
            return await self._loads.get(model, partial(self._first, model))
        if not is_version(wanted):
            _, wanted = await asyncio.to_thread(self._store.versions.resolve, f"{model}@{wanted}")
        return self._residents.use(model, wanted) or await self._loaded(model, wanted)

    async def refresh(self, model: str) -> None:
        """Follow a model's aliases; if the new version fails, the old one stays in service."""
        await self._follow(model)

    async def refresh_all(self) -> None:
        """Follow the aliases of all models in the store."""
        for model in await self._models():
            await self._follow(model)

    async def forget(self, model: str, version: str) -> None:
        """Drop a deleted version that is not in service."""
        self._residents.drop(f"{model}@{version}")
        self._tell([])

    async def _models(self) -> list[str]:
        """Return the names of all models; none while the store is away."""
        try:
            names = await asyncio.to_thread(self._store.tree.names, "models")
        except StoreError as err:
            self._note("", err)
            return []
        self._problems.pop("", None)
        return names

    async def _follow(self, model: str, *, is_starting: bool = False) -> None:
        try:
            aliases, _ = await self._swap(model)
            if not is_starting:  # extras wait until every model is in service
                await self._tidy(model, aliases)
        except CatteryError as err:
            self._note(model, err)
        else:
            self._problems.pop(model, None)

    async def _first(self, model: str) -> Slot:
        """Load a model and put it into service."""
        _, slot = await self._swap(model, is_asked=True)
        if slot is None:  # its alias was removed meanwhile
            _, version = await asyncio.to_thread(self._store.versions.resolve, model)
            slot = await self._loaded(model, version)
        return slot

    async def _swap(self, model: str, *, is_asked: bool = False) -> tuple[Aliases, Slot | None]:
        """Put the version that the store names into service; one swap per model at a time.

        Returns:
            The model's aliases and its slot in service, None if nothing is to be loaded.
        """
        async with self._locks[model]:
            aliases = await asyncio.to_thread(self._store.aliases.get, model)
            wanted, now = aliases.serving, self._residents.find(model)
            if wanted is None or (now and now.version == wanted):
                return aliases, now
            slot = self._residents.find(model, wanted)
            if slot is None and not (now or is_asked or self._is_loaded_ahead(model)):
                await self._rest(model, wanted)
                return aliases, None
            slot = slot or await self._entered(model, wanted)
            self._serve(slot)
            return aliases, slot

    def _is_loaded_ahead(self, model: str) -> bool:
        """Whether to preload a model: it was not evicted before, and would evict none."""
        if model in self._residents.resting:
            return False
        return model == self._default[0] or (not self._is_lazy and self._residents.has_room())

    async def _rest(self, model: str, version: str) -> None:
        """Load nothing, but remember the card of the version that the next request would load."""
        self._loader.refuse_damaged(f"{model}@{version}")
        resting = self._residents.resting
        if model in resting and resting[model].version != version:
            resting[model] = await asyncio.to_thread(self._store.versions.card, model, version)

    async def _entered(self, model: str, version: str) -> Slot:
        """Load a version that goes into service as soon as it is loaded."""
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
        """Swap one reference; the replaced slot stays warm if there is room."""
        old = self._residents.find(slot.model)
        if old is slot:
            return
        left = self._residents.serve(slot)
        self._telemetry.swaps.labels(slot.model).inc()
        log.info("%s is in service, %s before", slot.name, old.name if old else "nothing")
        self._tell(left)

    def _tell(self, left: list[Slot]) -> None:
        """Log and count evictions and the bytes that remain."""
        for slot in left:
            self._telemetry.evictions.labels(slot.model).inc()
            log.info("%s was evicted to make room", slot.name)
        held = self._residents.nbytes
        self._telemetry.device_bytes.set(held)
        if 0 < self._max_bytes < held:
            log.warning("one slot alone holds %d bytes, the limit is %d", held, self._max_bytes)

    async def _tidy(self, model: str, aliases: Aliases) -> None:
        """Preload the version that a rollback would restore, and drop deleted ones."""
        for version in [slot.version for slot in self._residents.warm(model)]:
            if await asyncio.to_thread(self._store.versions.was_deleted, model, version):
                await self.forget(model, version)
        previous = aliases.previous
        is_worth_it = self._residents.note_previous(model, previous) and not self._is_lazy
        if previous and is_worth_it and not self._residents.find(model, previous):
            with suppress(CheckpointError):  # already logged, and nothing in service depends on it
                await self._loaded(model, previous)

    async def _loaded(self, model: str, version: str) -> Slot:
        """Load a version, once for all who wait for it."""
        return await self._loads.get(f"{model}@{version}", partial(self._load, model, version))

    async def _load(self, model: str, version: str) -> Slot:
        slot = await self._loader.load(model, version)
        self._telemetry.loads.labels(model).inc()
        if slot.name in self._entering:
            self._serve(slot)
        else:
            self._tell(self._residents.keep(slot))
        return slot

    def _note(self, model: str, err: CatteryError) -> bool:
        """Record and log why a model does not follow its aliases; True if that is new."""
        is_new = self._problems.get(model) != str(err)
        if is_new:
            log.warning("model %r does not follow its aliases: %s", model or "any", err)
        self._problems[model] = str(err)
        return is_new
