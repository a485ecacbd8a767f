"""Trains the zoo: imports missing datasets, runs the jobs, prints the results."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from app.cli.console import counting_bar, say, show_table
from models.cores import usable_cores
from models.devices import pick_device
from models.errors import CatteryError, InvalidValue
from models.jobs.dataset_import import ImportStopped
from models.jobs.order import make_order
from models.store import Store
from models.store.records import Budget, Promote
from tools.zoo.children import starter, zoo_lock
from tools.zoo.datasets import NoPictures, import_datasets, missing_datasets
from tools.zoo.planning import Capacity, EntryStatus, State, order_for, survey
from tools.zoo.report import COLUMNS, failure, log_line, row
from tools.zoo.session import Outcome, Session
from tools.zoo.table import Entry
from worker.settings import WorkerSettings


class ZooFailed(CatteryError):
    """Some entries have no version, although there was time to train them."""


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
    """Train every entry that has no version yet, and print a table of all of them.

    Args:
        entries: The entries.
        store: Holds their datasets, jobs and versions.
        data: The data folder, for logs, cache and lock.
        pictures: Folder from which missing datasets are imported.
        at_once: Number of concurrent jobs; as many as fit if None.
        again: Whether to retry entries that failed before.
        should_stop: Polled; once it is true, running jobs save their state.

    Raises:
        NoPictures: A dataset is missing, and no folder of pictures was given.
        InvalidValue: An order is invalid.
        DatasetError: The folder of pictures is not as expected.
        StartError: The zoo is already being trained.
        ZooFailed: An entry failed, or a process had to be killed.
    """
    with zoo_lock(data) as lock:
        pending = [each for each in survey(entries, store) if _is_pending(each, again)]
        todo = [each.entry for each in pending]
        try:
            _prepare(todo, store, data / "cache", pictures, should_stop)
        except ImportStopped:
            say("Stopped during a dataset import; the same command starts it over.")
            return
        outcome = Outcome.COMPLETE
        if pending:
            capacity, environment = capacity_here(at_once, todo)
            start = starter(data / "zoo", environment, lock)
            outcome = Session(store, capacity, start, log_line, data / "zoo").run(
                pending, should_stop
            )
    statuses = survey(entries, store)
    show_table(COLUMNS, [row(each, store) for each in statuses])
    _conclude(statuses, outcome, data / "zoo")


def _is_pending(each: EntryStatus, again: bool) -> bool:
    """Whether an entry is to be trained."""
    if each.state is State.FAILED and each.job is not None and not again:
        say(f"{each.entry.model}: {failure(each.job)} Skipped; --again retries it.")
        return False
    return each.state is not State.DONE


def _prepare(
    entries: Sequence[Entry],
    store: Store,
    cache: Path,
    pictures: Path | None,
    should_stop: Callable[[], bool],
) -> None:
    """Import missing datasets, and validate every order before anything trains."""
    for entry in entries:
        order_for(entry)  # checks the overrides before the minutes that an import takes
    missing = missing_datasets(entries, store)
    if missing and pictures is None:
        raise NoPictures(missing)
    if missing and pictures is not None:
        say(f"Importing the dataset {' and '.join(missing)} from {pictures} ...")
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
        _validate(entry, store)


def _validate(entry: Entry, store: Store) -> None:
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
        raise InvalidValue(
            err.field, err.value, err.allowed, f"{entry.model}: {err.detail}"
        ) from err


def capacity_here(
    at_once: int | None, entries: Sequence[Entry]
) -> tuple[Capacity, Mapping[str, str]]:
    """Return how many entries fit on this machine, and their processes' thread settings.

    Args:
        at_once: Number of concurrent jobs; None derives it from the device.
        entries: What is to be trained.

    Returns:
        The capacity, and environment variables for each process.
    """
    settings, cores = WorkerSettings(), usable_cores()
    device = pick_device(settings.device)
    if at_once is not None:
        capacity = Capacity(jobs=at_once)
    elif device.type == "cuda":
        free_bytes, _ = torch.cuda.mem_get_info(device)
        capacity = Capacity(memory_gb=free_bytes / 1e9)
    else:
        capacity = Capacity(jobs=cores)
    # On a CPU always one thread: the number of threads changes rounding, and so the weights.
    threads = 1
    if device.type == "cuda":
        threads = settings.threads or max(1, cores // max(1, capacity.concurrent(entries)))
    return capacity, {"CATTERY_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}


def _conclude(statuses: Sequence[EntryStatus], outcome: Outcome, logs: Path) -> None:
    """Say what remains to be done.

    Raises:
        ZooFailed: An entry failed, or a process had to be killed.
    """
    missing = [each.entry.model for each in statuses if each.state is not State.DONE]
    if not missing:
        say(f"Trained: {len(statuses)} of {len(statuses)} models.")
    elif outcome is Outcome.LOST:
        raise ZooFailed(
            "Some jobs could not save in time and will resume from their last checkpoint.",
            f"Rerun the command to resume; logs are in {logs}.",
        )
    elif outcome is Outcome.SAVED:
        say("Saved. Rerun the command to resume.")
    else:
        raise ZooFailed(
            f"Without a version: {', '.join(missing)}.",
            f"Logs are in {logs}; --again retries failed ones.",
        )
