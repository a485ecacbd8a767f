"""How many jobs of one key may wait or run at once."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.problems.errors import TooManyRequests
from models.errors import Gone, NotFound
from models.store import Store
from models.store.names import marker, new_job

RETRY_AFTER_S = 60


def owner_of(client: str) -> str:
    """Return a client's name as that of a folder."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", client)


@contextmanager
def place_in_queue(
    store: Store, owner: str, most: int, key: str | None = None
) -> Iterator[Callable[[str], None]]:
    """Reserve a place among the jobs of a client while the block submits one.

    Args:
        store: Where jobs are.
        owner: Whose job it is, as a name of a folder.
        most: How many may wait or run at once; 0 for any number.
        key: The job's Idempotency-Key; one that is there already needs no other place.

    Yields:
        A function to call with the id of the job.

    Raises:
        TooManyRequests: There are too many.
    """
    if not most:
        yield lambda _job: None
        return
    folder = f"quotas/{owner}"
    # Locked from counting to submitting: parallel requests must not share the last place.
    with store.tree.lock(folder):
        jobs = store.tree.names(folder)
        over = [job for job in jobs if _is_over(store, job)]
        for job in over:
            store.tree.delete(f"{folder}/{job}")
        is_there = key is not None and new_job(key) in jobs
        if len(jobs) - len(over) >= most and not is_there:
            share = f"{most} jobs that wait or run"
            setting, policy = "CATTERY_MAX_QUEUED_JOBS", f"q={most}"
            raise TooManyRequests("jobs", share, setting, RETRY_AFTER_S, policy=policy)
        yield lambda job: store.tree.write(f"{folder}/{job}", marker())


def _is_over(store: Store, job: str) -> bool:
    try:
        return store.jobs.get(job).status.has_ended
    except (NotFound, Gone):
        return True
