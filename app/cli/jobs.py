"""`cattery jobs`: what is queued, running and over. Like all commands, over the store."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import interruptible, say, show_json, show_record, show_table
from app.cli.store import open_store

if TYPE_CHECKING:
    from models.store.records import Event, JobRecord

job_commands = typer.Typer(help="List, show, watch, cancel and delete jobs.")

Job = Annotated[str, typer.Argument(help="Id of the job.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

POLL_S = 0.5
_TOLD = ("kimg", "done", "total", "eta_s", "phase", "task", "reason", "version")


@job_commands.command("list")
def list_(json: AsJson = False) -> None:
    """List all jobs, newest first."""
    from models.store.serialization import to_json

    records = open_store().jobs.list()
    if json:
        show_json([to_json(record) for record in records])
        return
    show_table(
        ("job", "kind", "status", "phase", "for", "progress", "created"),
        [
            (r.id, r.kind, r.status, r.phase, _target(r), _progress(r), r.created_at)
            for r in records
        ],
    )


@job_commands.command()
def show(job: Job) -> None:
    """Show a job as JSON: its order, phases, progress and outcome."""
    show_record(open_store().jobs.get(job))


@job_commands.command()
def watch(job: Job, json: AsJson = False) -> None:
    """Print a job's history, and what happens until it ends; Ctrl-C leaves the job alone."""
    store, last = open_store(), 0
    with interruptible() as stopped:
        while True:
            # The record first: a job's last event is written before its record says it ended.
            has_ended = store.jobs.get(job).status.has_ended
            for event in store.jobs.events(job, last):
                last = event.id
                _tell(event, json=json)
            if has_ended or stopped():
                return
            time.sleep(POLL_S)


@job_commands.command()
def cancel(job: Job) -> None:
    """Cancel a job; a training publishes its best snapshot first, without promoting it.

    A paused `cattery train` ends without publishing; its state is kept until the job is deleted.
    """
    from models.store.journal import cancel_before_start

    store = open_store()
    store.jobs.request_cancel(job)
    ended = cancel_before_start(store.jobs.get(job), store)
    if ended:
        say(f"Job {job}: {ended.reason}")
    else:
        say(f"Asked {job} to stop; watch it with: cattery jobs watch {job}")


@job_commands.command()
def delete(job: Job) -> None:
    """Delete an ended job's history and training state, but not what it published."""
    open_store().jobs.delete(job)
    say(f"Deleted {job}.")


def _target(record: "JobRecord") -> str:
    order = record.order
    return str(order.get("name") or f"{order.get('model')} on {order.get('dataset')}")


def _progress(record: "JobRecord") -> str | None:
    """Return how far the last phase is, such as "3.2 of 10 kimg"."""
    if not record.phases or record.phases[-1].total is None:
        return None
    phase = record.phases[-1]
    return f"{phase.done:g} of {phase.total:g} {phase.unit}"


def _tell(event: "Event", *, json: bool) -> None:
    if json:
        from models.store.serialization import to_json

        show_json(to_json(event))
        return
    facts = [f"{name} {event.data[name]}" for name in _TOLD if event.data.get(name) is not None]
    print(event.at, event.type, "; ".join(facts))
