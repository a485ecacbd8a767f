"""The zoo's training from start to end: what is needed, what runs, what came of it."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from app.cli.console import counting_bar, say, show_table
from models.devices import pick_device
from models.errors import CatteryError, InvalidValue
from models.jobs.dataset_import import ImportStopped
from models.jobs.order import make_order
from models.store import Store
from models.store.records import Budget, Promote
from tools.zoo.children import claimed_for_zoo, starter
from tools.zoo.datasets import NoPictures, import_datasets, missing_datasets
from tools.zoo.planning import Outlook, Room, Standing, survey, wanted
from tools.zoo.report import COLUMNS, row, tell, why_not
from tools.zoo.session import Ending, Session
from tools.zoo.table import Entry
from worker.settings import WorkerSettings


class ZooFailed(CatteryError):
    """Not every entry has a version, and that is not for lack of time."""


def train_zoo(
    entries: Sequence[Entry],
    store: Store,
    *,
    data: Path,
    pictures: Path | None,
    at_once: int | None,
    again: bool,
    should_stop: Callable[[], bool],
) -> None:
    """Train every entry that has no version yet, and print what came of all of them.

    Args:
        entries: What is wanted.
        store: Where it goes.
        data: The data folder: of logs, cache and lock.
        pictures: Where datasets that are missing come from.
        at_once: How many entries are trained side by side; as many as fit if None.
        again: Whether what has failed before is tried again.
        should_stop: Asked all the time; what runs is saved then.

    Raises:
        NoPictures: A dataset is missing, and no pictures were named.
        InvalidValue: An order cannot be, or the pictures are not what they should be.
        StartError: The zoo is being trained already.
        ZooFailed: An entry failed, or a process had to be killed.
    """
    with claimed_for_zoo(data) as lock:
        left = [each.entry for each in survey(entries, store) if _is_left(each, again)]
        ending = Ending.OVER
        try:
            _prepare(left, store, data / "cache", pictures, should_stop)
        except ImportStopped:
            say("Stopped while it made a dataset, which begins anew with the same command.")
            return
        if left:
            room, environment = room_here(at_once, left)
            session = Session(store, room, starter(data / "zoo", environment, lock), tell)
            ending = session.carry_out(left, should_stop)
    outlooks = survey(entries, store)
    show_table(COLUMNS, [row(each, store) for each in outlooks])
    _conclude(outlooks, ending, data / "zoo")


def _is_left(each: Outlook, again: bool) -> bool:
    """Whether an entry is to be trained."""
    if each.standing is Standing.ENDED and not again:
        say(f"{each.entry.model}: {why_not(each)} It is tried again with --again only.")
        return False
    return each.standing is not Standing.DONE


def _prepare(
    entries: Sequence[Entry],
    store: Store,
    cache: Path,
    pictures: Path | None,
    should_stop: Callable[[], bool],
) -> None:
    """Make the datasets that are missing, and check every order before anything trains."""
    for entry in entries:
        wanted(entry)  # its numbers alone: making datasets takes minutes
    missing = missing_datasets(entries, store)
    if missing and pictures is None:
        raise NoPictures(missing)
    if missing and pictures is not None:
        say(f"Making the dataset {' and '.join(missing)} from {pictures} ...")
        with counting_bar() as bar:
            task = bar.add_task("pictures", total=None)
            import_datasets(
                store,
                missing,
                pictures,
                cache=cache,
                on_progress=lambda done, total: bar.update(task, completed=done, total=total),
                should_stop=should_stop,
            )
    for entry in entries:
        _check(entry, store)


def _check(entry: Entry, store: Store) -> None:
    try:
        make_order(
            recipe=entry.recipe,
            dataset=store.datasets.get(entry.dataset),
            store=store,
            budget=Budget(kimg=entry.kimg),
            model=entry.model,
            size_px=entry.side_px,
            seed=entry.seed,
            overrides=entry.overrides,
            promote=Promote.NEVER,
        )
    except InvalidValue as err:
        raise InvalidValue(f"{err.field} of {entry.model}", err.value, err.allowed) from err


def room_here(at_once: int | None, entries: Sequence[Entry]) -> tuple[Room, Mapping[str, str]]:
    """Return how many entries fit side by side, and what their processes must know.

    Args:
        at_once: What the user says of it; None to look at the device.
        entries: What is to be trained.

    Returns:
        The room, and environment variables: how many threads each process has.
    """
    settings, cores = WorkerSettings(), _cores()
    device = pick_device(settings.device)
    if device.type == "cuda":
        free_bytes, _ = torch.cuda.mem_get_info(device)
        room = Room(memory_gb=free_bytes / 1e9)
    else:
        room = Room(places=cores)
    if at_once is not None:
        room = Room(places=at_once)
    # On a CPU one thread each, however many run: the number of threads shapes the weights.
    threads = 1
    if device.type == "cuda":
        threads = settings.threads or max(1, cores // max(1, room.at_once(entries)))
    return room, {"CATTERY_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _conclude(outlooks: Sequence[Outlook], ending: Ending, logs: Path) -> None:
    """Say what is to be done now.

    Raises:
        ZooFailed: An entry failed, or a process had to be killed.
    """
    left = [each.entry.model for each in outlooks if each.standing is not Standing.DONE]
    if not left:
        say(f"The zoo is trained: {len(outlooks)} generators.")
    elif ending is Ending.LOST:
        raise ZooFailed(
            "What was not saved in time goes on from where it was last saved.",
            f"Go on with the same command; the logs are in {logs}.",
        )
    elif ending is Ending.SAVED:
        say("Saved. Go on with the same command.")
    else:
        raise ZooFailed(
            f"Without a version: {', '.join(left)}.",
            f"The logs are in {logs}; --again tries what has failed once more.",
        )
