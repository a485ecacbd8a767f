"""What training the zoo prints: log lines, and the table at the end."""

from datetime import datetime
from pathlib import Path
from signal import Signals

from app.cli.console import say
from models.comparison.table import duration
from models.metrics.protocols import headline
from models.store import Store
from models.store.records import Card, JobRecord
from tools.zoo.planning import EntryStatus, State

COLUMNS = ("model", "version", "kimg", "seconds", "KID (95 %)")

_PENDING = {
    State.INTERRUPTED: "interrupted; rerun the command to resume",
    State.TO_DO: "to do",
}


def log_line(text: str) -> None:
    """Print a line with the time of day."""
    say(f"{datetime.now().astimezone():%H:%M:%S}  {text}")


def started_line(each: EntryStatus, log: Path) -> str:
    """Say that an entry's training starts or resumes."""
    model, job = each.entry.model, each.job
    if job is not None:
        return f"{model}: resuming job {job.id} at {job.progress.kimg:g} kimg; log: {log}"
    return f"{model}: started; log: {log}"


def progress_line(each: EntryStatus) -> str:
    """Say how far a running entry is."""
    model, job = each.entry.model, each.job
    if job is None or job.status.has_ended:  # an earlier attempt: the new job has no record yet
        return f"{model}: starting"
    progress = job.progress
    shown = f"{progress.kimg:g} of {progress.kimg_total or each.entry.kimg:g} kimg"
    facts = [str(job.phase or job.status), shown]
    if progress.images_per_s:
        facts.append(f"{progress.images_per_s:.0f} images/s")
    if progress.eta_s:
        facts.append(f"{duration(progress.eta_s)} left")
    return f"{model}: {', '.join(facts)}"


def ended_line(each: EntryStatus, store: Store, exit_status: int, log: Path) -> str:
    """Say what came of an entry's training: its version and KID, or why there is none."""
    model = each.entry.model
    card = _card(each, store)
    if card is not None:
        return f"{model}: finished, version {card.version}, KID {_kid(card) or 'not measured'}"
    if each.state is State.FAILED and each.job is not None:
        return f"{model}: {failure(each.job)} Log: {log}"
    killed = exit_status < 0
    how = f"was killed by {Signals(-exit_status).name}" if killed else f"exited with {exit_status}"
    return f"{model}: the process {how}. Log: {log}"


def row(each: EntryStatus, store: Store) -> tuple[str, ...]:
    """Return an entry's row of the table, by `COLUMNS`."""
    card, job = _card(each, store), each.job
    if each.state is State.FAILED and job is not None:
        version = failure(job)
    else:
        version = card.version if card else _PENDING[each.state]
    kimg = f"{job.progress.kimg:g}" if job else ""
    seconds = f"{job.progress.training_s:.1f}" if job else ""
    return each.entry.model, version, kimg, seconds, _kid(card) if card else ""


def failure(job: JobRecord) -> str:
    """Return how a job ended that did not finish."""
    return f"{job.status.capitalize()}: {job.reason or 'no reason given.'}"


def _card(each: EntryStatus, store: Store) -> Card | None:
    if each.state is not State.DONE or each.job is None:
        return None
    return store.versions.card(each.entry.model, str(each.job.version))


def _kid(card: Card) -> str:
    """Return a version's KID with its interval; empty if it was not measured."""
    kid = headline(card.metrics)
    if kid is None:
        return ""
    low, high = kid.get("interval") or (None, None)
    return f"{kid['value']:.3g}" + ("" if low is None else f" ({low:.3g} to {high:.3g})")
