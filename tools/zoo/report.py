"""What the zoo's training says: lines for a log, and the table at its end."""

from datetime import datetime
from pathlib import Path
from signal import Signals

from app.cli.console import say
from models.comparison.table import duration
from models.store import Store
from models.store.records import Card, JobRecord
from tools.zoo.planning import Outlook, Standing

COLUMNS = ("model", "version", "kimg", "seconds", "KID (95 %)")

_STANDINGS = {
    Standing.BUSY: "some other process trains it",
    Standing.INTERRUPTED: "interrupted; the same command goes on",
    Standing.TO_DO: "to do",
}


def tell(text: str) -> None:
    """Print a line with the time of day: nobody may read it before tomorrow."""
    say(f"{datetime.now().astimezone():%H:%M:%S}  {text}")


def started_line(each: Outlook, log: Path) -> str:
    """Say that an entry's training begins or goes on."""
    model, job = each.entry.model, each.job
    if each.standing is Standing.INTERRUPTED and job is not None:
        return f"{model}: goes on at {job.progress.kimg:g} kimg (job {job.id}); its log: {log}"
    return f"{model}: started; its log: {log}"


def progress_line(each: Outlook) -> str:
    """Say how far a running entry is."""
    model, job = each.entry.model, each.job
    if job is None or job.status.has_ended:  # its own job is not there yet
        return f"{model}: getting ready"
    progress = job.progress
    shown = f"{progress.kimg:g} of {progress.kimg_total or each.entry.kimg:g} kimg"
    facts = [str(job.phase or job.status), shown]
    if progress.images_per_s:
        facts.append(f"{progress.images_per_s:.0f} images/s")
    if progress.eta_s:
        facts.append(f"{duration(progress.eta_s)} to go")
    return f"{model}: {', '.join(facts)}"


def ended_line(each: Outlook, store: Store) -> str:
    """Say which version an entry became, and how good it is."""
    card = _card(each, store)
    if card is None:
        return f"{each.entry.model}: done"
    return f"{card.model}: finished, version {card.version}, KID {_kid(card) or 'not measured'}"


def why_not(each: Outlook, status: int | None = None) -> str:
    """Say why an entry has no version, a sentence.

    Args:
        each: The entry's outlook.
        status: How its process ended, if it did without ending its job.
    """
    if each.standing is Standing.ENDED and each.job is not None:
        return _ended(each.job)
    if status is None:
        return f"{_STANDINGS[each.standing].capitalize()}."
    how = f"by {Signals(-status).name}" if status < 0 else f"with exit status {status}"
    return f"Its process was ended {how}."


def row(each: Outlook, store: Store) -> tuple[str, ...]:
    """Return an entry's row of the table, texts by `COLUMNS`."""
    card, job = _card(each, store), each.job
    if each.standing is Standing.ENDED and job is not None:
        version = _ended(job)
    else:
        version = card.version if card else _STANDINGS.get(each.standing, "")
    kimg = f"{job.progress.kimg:g}" if job else ""
    seconds = f"{job.progress.training_s:.1f}" if job else ""
    is_done = each.standing is Standing.DONE
    return each.entry.model, version, kimg, seconds, _kid(card) if card and is_done else ""


def _ended(job: JobRecord) -> str:
    """Say how a job ended that did not finish."""
    return f"{job.status.capitalize()}: {job.reason or 'no reason was given'}"


def _card(each: Outlook, store: Store) -> Card | None:
    if each.standing is not Standing.DONE or each.job is None:
        return None
    return store.versions.card(each.entry.model, str(each.job.version))


def _kid(card: Card) -> str:
    """Return a version's kernel distance with its interval; nothing if it was not measured."""
    found = [each for each in card.metrics if each["name"] == "kid"]
    found.sort(key=lambda each: each["protocol"].get("name") != "cattery")
    if not found:
        return ""
    low, high = found[0].get("interval") or (None, None)
    interval = "" if low is None else f" ({low:.3g} to {high:.3g})"
    return f"{found[0]['value']:.3g}{interval}"
