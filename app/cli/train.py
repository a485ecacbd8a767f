"""`cattery train`: a training job in the foreground, without queue or service."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import interruptible, say, training_bar
from app.cli.store import open_store, shared_settings
from models.errors import CatteryError, Conflict, InvalidValue
from models.store.records import Budget, JobKind, JobRecord, JobStatus, Promote, TrainingOrder

if TYPE_CHECKING:
    from models.jobs.training_job import Place
    from models.store import Store
    from models.training.distributed import Team

RUNNER = "cli"
LOOK_EVERY_S = 0.5


class TrainingFailed(CatteryError):
    """The job ended without a version."""


def train(
    recipe: Annotated[
        str | None, typer.Argument(help="Name of a recipe, such as dcgan; not with --resume.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Name of an imported dataset.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Train for so long.")] = None,
    kimg: Annotated[
        float | None, typer.Option(help="Or for so many thousand pictures shown.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model that the version joins.")] = None,
    size_px: Annotated[int | None, typer.Option("--size", help="Side of the pictures.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seeds weights, latents and order.")] = 0,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A recipe's number.")
    ] = None,
    promote: Annotated[
        Promote, typer.Option(help="When the version takes over.")
    ] = Promote.IF_BETTER,
    resume: Annotated[
        str | None,
        typer.Option(metavar="JOB", help="Go on where a job, or a version's job, stopped."),
    ] = None,
) -> None:
    """Train a generator, measure it and add it to the store; Ctrl-C saves where it is.

    Under `torchrun` the processes train it together, one GPU each.
    """
    store = open_store()
    budget = Budget(kimg=kimg, minutes=minutes)

    def order() -> JobRecord:
        if resume is not None:
            return _resumed(store, _job_of(store, resume), budget, promote)
        return _ordered(
            store,
            recipe=_given("RECIPE", recipe),
            dataset=store.datasets.get(_given("--dataset", dataset)),
            model=model,
            size_px=size_px,
            budget=budget,
            seed=seed,
            overrides=parse_overrides(overrides or []),
            promote=promote,
        )

    _train_together(store, order)


def _train_together(store: "Store", order: Callable[[], JobRecord]) -> None:
    """Lead a training, or follow the process that `torchrun` made the leader."""
    from models.training.distributed import team_of_torchrun

    with team_of_torchrun() as team:
        if team.leads:
            _tell(store, run_here(store, order(), team))
        else:
            from models.jobs.ddp_follower import run_following

            for number in (signal.SIGINT, signal.SIGTERM):  # the leader alone is to be asked
                signal.signal(number, signal.SIG_IGN)
            run_following(place_here(store, team))


def parse_overrides(texts: list[str]) -> dict[str, Any]:
    """Return `NAME=VALUE` texts as a mapping; a value is JSON, such as 64, 2e-4 or true.

    Raises:
        InvalidValue: A text has no "=" or its value is no JSON.
    """
    overrides = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            overrides[name.strip()] = json.loads(value)
        except ValueError:
            raise InvalidValue("set", text, "NAME=VALUE with a number, true or false") from None
    return overrides


def _given(name: str, value: str | None) -> str:
    if value is None:
        raise typer.BadParameter(f"{name} is needed, unless --resume names a job.")
    return value


def _ordered(store: "Store", **parts: Any) -> JobRecord:
    from models.jobs.order import make_order

    order = make_order(store=store, **parts)
    record, _ = store.jobs.create(JobKind.TRAIN, order, runner=RUNNER)
    return record


def _job_of(store: "Store", name: str) -> str:
    """Return a job's id; it may be named by the version that it made."""
    if "@" not in name:
        return name
    job = store.versions.card(*store.versions.resolve(name)).job
    if job is None:
        raise InvalidValue("resume", name, "a version that a job of this store made, or a job")
    return job


def _resumed(store: "Store", job: str, budget: Budget, promote: Promote) -> JobRecord:
    """Return the job itself if it was interrupted, or a new one that goes on from its state."""
    record = store.jobs.get(job)
    if not record.status.has_ended and record.runner != RUNNER:
        raise Conflict(f"The job {job} belongs to a worker.", "Leave it to `cattery worker`.")
    if not record.status.has_ended:
        return record
    order = store.jobs.order(record)
    if not isinstance(order, TrainingOrder):
        raise InvalidValue("resume", job, "the id of a training job")
    return _ordered(
        store,
        recipe=order.recipe,
        dataset=store.datasets.get(order.dataset),
        model=order.model,
        size_px=order.size_px,
        budget=budget,
        seed=order.seed,
        overrides=order.overrides,
        promote=promote,
        resume_from=job,
    )


def run_here(store: "Store", record: JobRecord, team: "Team | None" = None) -> JobRecord:
    """Run a job in this process, with a bar; return its record when it has ended or paused."""
    from models.jobs.training_job import StopReason, run_training

    say(f"Job {record.id}; its samples are in {store.url}/jobs/{record.id}/samples")
    with interruptible() as stopped, shown(lambda: store.jobs.get(record.id)):
        return run_training(
            record,
            place_here(store, team),
            lease=lambda: True,  # two of them on one job: the store lets only the later one write
            should_stop=lambda: StopReason.PAUSE if stopped() else None,
            announce=lambda _model: None,  # serving processes look at the store by themselves
        )


def place_here(store: "Store", team: "Team | None" = None) -> "Place":
    """Return this process's place: the settings' device and threads, with a store and a team."""
    from models.jobs.training_job import Place
    from models.training.distributed import SOLO
    from worker.settings import WorkerSettings

    settings = WorkerSettings()
    return Place(
        store=store,
        cache=shared_settings().data / "cache",
        device=settings.device,
        threads=settings.threads,
        checkpoint_s=settings.checkpoint_s,
        fakes=settings.fakes,
        team=team or SOLO,
    )


@contextmanager
def shown(read: Callable[[], JobRecord]) -> Iterator[None]:
    """Show a job's progress while the block runs; the record is where everyone reads it."""
    done = threading.Event()
    with training_bar() as bar:
        task = bar.add_task("waiting", total=1.0, status="")

        def follow() -> None:
            while not done.wait(LOOK_EVERY_S):
                bar.update(task, **view(read()))

        follower = threading.Thread(target=follow, name="progress", daemon=True)
        follower.start()
        try:
            yield
        finally:
            done.set()
            follower.join()
            bar.update(task, **view(read()))


def view(record: JobRecord) -> dict[str, Any]:
    """Return what the bar shows of a job's record."""
    progress = record.progress
    if progress.training_s_total:
        share = progress.training_s / progress.training_s_total
    else:
        share = progress.kimg / progress.kimg_total if progress.kimg_total else 0.0
    facts = [f"{progress.kimg:.1f} kimg"]
    if progress.images_per_s:
        facts.append(f"{progress.images_per_s:.0f} img/s")
    told = [name for name in ("discriminator", "generator") if name in progress.losses]
    facts += [f"{name[0].upper()} {progress.losses[name]:.2f}" for name in told]
    return {
        "description": record.phase or record.status,
        "completed": min(1.0, share),
        "status": "  ".join(facts),
    }


def _tell(store: "Store", record: JobRecord) -> None:
    """Say how the job ended and what to do next.

    Raises:
        TrainingFailed: It ended without a version.
    """
    if not record.status.has_ended:
        say(f"Saved. Go on with:  cattery train --resume {record.id}")
        return
    if record.version is None:
        raise TrainingFailed(f"The job {record.id} {record.status}: {record.reason}")
    name = f"{store.jobs.order(record).model}@{record.version}"  # type: ignore[union-attr]
    say(f"{name} {'serves now' if record.promoted else 'was published'}. {record.reason or ''}")
    if record.status is not JobStatus.FINISHED:
        raise TrainingFailed(f"The job {record.id} {record.status}; its best snapshot is kept.")
    say(f"See it:  cattery generate --model {name} -o cats.png")
