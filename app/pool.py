"""The generators in service: loaded beside, checked, warmed, then swapped in.

A slot is an immutable value. Whoever took one keeps it until done, whatever is
promoted meanwhile; a live generator is never written to.
"""

import asyncio
import logging
from collections import OrderedDict, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic

from app.slots import EngineLoader, Slot, load_engine, make_slot
from app.telemetry import Telemetry
from models.errors import CatteryError, CheckpointError, StoreError
from models.store import Store
from models.store.names import is_version
from models.store.records import Aliases

log = logging.getLogger(__name__)

RETRY_S = 30.0
"""A version that was found damaged is looked at again after this long."""


class GeneratorPool:
    """Hands out slots and swaps what is in service.

    Used from one event loop. Whatever touches store or device runs in a thread,
    and a model in service is handed out without either.

    Args:
        store: Where versions and aliases are.
        device: "cpu", "cuda", ...
        cache: Folder for copies of weights from an object store.
        keep: How many slots not in service stay warm; previous ones are kept longest.
        default_model: What `take(None)` means.
        telemetry: Where swaps are counted.
        load: Makes an engine of a weights file.
    """

    def __init__(
        self,
        store: Store,
        device: str,
        cache: Path,
        keep: int,
        *,
        default_model: str = "dcgan",
        telemetry: Telemetry | None = None,
        load: EngineLoader = load_engine,
    ) -> None:
        self._store = store
        self._device = device
        self._cache = cache
        self._keep = keep
        self._default_model = default_model
        self._telemetry = telemetry or Telemetry()
        self._load = load
        self._serving: dict[str, Slot] = {}
        self._previous: dict[str, str | None] = {}
        self._warm: OrderedDict[str, Slot] = OrderedDict()
        self._loads: dict[str, asyncio.Task[Slot]] = {}
        self._damaged: dict[str, tuple[CheckpointError, float]] = {}
        self._problems: dict[str, str] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # One loader: a crowd asking for cold versions must not take the device from the served.
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="cattery-load")

    async def start(self) -> None:
        """Put every model into service; what cannot be loaded is a problem, not an end."""
        for model in await self._models():
            await self._follow(model, is_starting=True)

    async def close(self) -> None:
        """Stop loading and let go of every slot."""
        loads = list(self._loads.values())
        for task in loads:
            task.cancel()
        await asyncio.gather(*loads, return_exceptions=True)
        await asyncio.to_thread(self._loader.shutdown, cancel_futures=True)
        self._serving.clear()
        self._warm.clear()

    def serving(self) -> dict[str, Slot]:
        """Return the slot in service of each model."""
        return dict(self._serving)

    def problems(self) -> list[str]:
        """Return what keeps models from following the store, one sentence each."""
        return [self._problems[key] for key in sorted(self._problems)]

    async def take(self, ref: str | None) -> Slot:
        """Return the slot that a reference means now.

        Args:
            ref: "model", "model@version" (an id, its first digits, "serving" or
                "previous"), or None for the default model.

        Raises:
            NotFound: No such model or version; the known ones are told.
            Gone: The version was deleted.
            CheckpointError: The version is damaged.
            StoreError: It is not in memory and the store cannot be read.
        """
        ref = self._default_model if ref is None else ref
        model, at, wanted = ref.partition("@")
        if not at or wanted == "serving":
            return self._serving.get(model) or await self._first(model)
        if not is_version(wanted):
            _, wanted = await asyncio.to_thread(self._store.versions.resolve, ref)
        return await self._slot(model, wanted)

    async def refresh(self, model: str) -> None:
        """Follow a model's aliases; a version that fails leaves the old one in service."""
        await self._follow(model)

    async def refresh_all(self) -> None:
        """Follow the aliases of all models in the store."""
        for model in await self._models():
            await self._follow(model)

    async def forget(self, model: str, version: str) -> None:
        """Let go of a deleted version that is not in service."""
        self._warm.pop(f"{model}@{version}", None)

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
            aliases = await self._swap(model)
            if not is_starting:  # what is only nice to have can wait until all are in service
                await self._tidy(model, aliases)
        except CatteryError as err:
            self._note(model, err)
        else:
            self._problems.pop(model, None)

    async def _first(self, model: str) -> Slot:
        """Put a model into service that this process has not served yet."""
        # Asked first: an invented name must leave no trace in memory.
        _, version = await asyncio.to_thread(self._store.versions.resolve, model)
        await self._swap(model)
        return self._serving.get(model) or await self._slot(model, version)

    async def _swap(self, model: str) -> Aliases:
        """Put into service what the store says; one swap of a model at a time."""
        async with self._locks[model]:
            aliases = await asyncio.to_thread(self._store.aliases.get, model)
            now = self._serving.get(model)
            if aliases.serving is None or (now and now.version == aliases.serving):
                return aliases
            try:
                slot = await self._slot(model, aliases.serving)
            except CatteryError as err:
                if self._note(model, err):
                    self._telemetry.swap_failures.labels(model).inc()
                raise
            self._replace(model, slot)
            return aliases

    def _replace(self, model: str, slot: Slot) -> None:
        """Swap one reference; what it replaces stays warm."""
        old = self._serving.get(model)
        self._serving[model] = slot
        self._warm.pop(slot.name, None)
        if old is not None:
            self._previous[model] = old.version
            self._keep_warm(old)
        self._telemetry.swaps.labels(model).inc()
        log.info("%s is in service, %s before", slot.name, old.name if old else "nothing")

    async def _tidy(self, model: str, aliases: Aliases) -> None:
        """Warm the version to go back to, and drop deleted ones."""
        self._previous[model] = aliases.previous
        for name in [name for name, slot in self._warm.items() if slot.model == model]:
            version = name.removeprefix(f"{model}@")
            if await asyncio.to_thread(self._store.versions.was_deleted, model, version):
                await self.forget(model, version)
        # With more models than places, reloading them in turn would never end.
        others = sum(self._is_previous(s) and s.model != model for s in self._warm.values())
        if aliases.previous is not None and others < self._keep:
            with suppress(CheckpointError):  # logged where it failed; nothing served hangs on it
                await self._slot(model, aliases.previous)

    async def _slot(self, model: str, version: str) -> Slot:
        """Return a slot from memory, or load it once for all who ask."""
        name, serving = f"{model}@{version}", self._serving.get(model)
        if serving is not None and serving.version == version:
            return serving
        if name in self._warm:
            self._warm.move_to_end(name)
            return self._warm[name]
        if name not in self._loads:
            task = asyncio.create_task(self._loaded(model, version))
            task.add_done_callback(_look_at_result)
            self._loads[name] = task
        # Shielded: one client that hangs up must not spoil the load for the others.
        return await asyncio.shield(self._loads[name])

    async def _loaded(self, model: str, version: str) -> Slot:
        name = f"{model}@{version}"
        try:
            self._refuse_damaged(name)
            slot = await asyncio.get_running_loop().run_in_executor(
                self._loader, self._make, model, version
            )
        except CheckpointError as err:
            if name not in self._damaged:
                log.warning("%s cannot be used: %s", name, err)
                self._damaged[name] = (err, monotonic() + RETRY_S)
            raise
        finally:
            del self._loads[name]
        self._keep_warm(slot)
        return slot

    def _make(self, model: str, version: str) -> Slot:
        return make_slot(
            self._store,
            model,
            version,
            device=self._device,
            cache=self._cache,
            load=self._load,
        )

    def _refuse_damaged(self, name: str) -> None:
        err, until = self._damaged.get(name, (None, 0.0))
        if err is not None and monotonic() < until:
            raise err
        self._damaged.pop(name, None)

    def _is_previous(self, slot: Slot) -> bool:
        return self._previous.get(slot.model) == slot.version

    def _keep_warm(self, slot: Slot) -> None:
        """Keep a slot, and let go of the least recently used beyond `keep`."""
        self._warm[slot.name] = slot
        self._warm.move_to_end(slot.name)
        while len(self._warm) > self._keep:
            spare = [n for n, s in self._warm.items() if not self._is_previous(s)]
            del self._warm[spare[0] if spare else next(iter(self._warm))]

    def _note(self, model: str, err: CatteryError) -> bool:
        """Remember and log why a model does not follow its aliases; True if that is new."""
        is_new = self._problems.get(model) != str(err)
        if is_new:
            log.warning("model %r stays as it is: %s", model or "any", err)
        self._problems[model] = str(err)
        return is_new


def _look_at_result(task: asyncio.Task[Slot]) -> None:
    """Take note of a failure that nobody waits for any more, so that asyncio is silent."""
    if not task.cancelled():
        task.exception()
