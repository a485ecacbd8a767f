"""`cattery train`: a training job in the foreground, without a queue or service."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import interruptible, say, training_bar
from app.cli.settings import check_device, read_settings
from app.cli.store import open_store
from models.errors import CatteryError, Conflict, InvalidValue
from models.store.journal import StopReason
from models.store.records import Budget, JobKind, JobRecord, JobStatus, Promote, TrainingOrder

if TYPE_CHECKING:
    from models.jobs.context import JobContext
    from models.store import Store

RUNNER = "cli"  # the worker's reaper leaves such jobs alone
POLL_S = 0.5

# Options by the fields of an order, for errors that name what was typed.
FLAGS = {
    "budget.kimg": "--kimg",
    "budget.minutes": "--minutes",
    "init_from": "--init-from",
    "model": "--model",
    "resume_from": "--resume",
    "seed": "--seed",
    "size_px": "--size",
}

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Override a hyperparameter, for example --set width=64; repeatable.",
    ),
]


class TrainingFailed(CatteryError):
    """The job ended without publishing a version."""


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(help="Name of a recipe, such as dcgan; omit with --resume."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Name of an imported dataset.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Training budget in minutes; alternative: --kimg.")
    ] = None,
    kimg: Annotated[
        float | None,
        typer.Option(help="Training budget in thousands of images; alternative: --minutes."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model to add the version to; default: named after the recipe."),
    ] = None,
    size_px: Annotated[
        int | None,
        typer.Option("--size", help="Image width and height in pixels; default: the recipe's."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed of weights, latents and data order.")
    ] = 0,
    overrides: Overrides = None,
    promote: Annotated[
        Promote, typer.Option(help="When to put the new version into service.")
    ] = Promote.IF_BETTER,
    resume: Annotated[
        str | None,
        typer.Option(metavar="JOB", help="Job id or model@version whose training to resume."),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            metavar="JOB",
            help="Start with the weights of a job or model@version, of this size or smaller.",
        ),
    ] = None,
) -> None:
    """Train a generator, evaluate it and add it to the store; Ctrl-C saves a checkpoint.

    Run it with `torchrun` to train on several GPUs, one process each.
    """
    if resume is not None:
        _refuse_with_resume(
            {
                "RECIPE": recipe,
                "--dataset": dataset,
                "--model": model,
                "--size": size_px,
                "--set": overrides,
                "--init-from": init_from,
            }
        )
    store = open_store()
    budget = Budget(kimg=kimg, minutes=minutes)

    def order() -> JobRecord:
        if resume is not None:
            return _resumed(store, resume, budget, promote)
        return _ordered(
            store,
            recipe=_given("RECIPE", recipe),
            dataset=store.datasets.get(_given("--dataset", dataset)),
            model=model,
            size_px=size_px,
            budget=budget,
            seed=seed,
            overrides=parse_overrides(overrides),
            promote=promote,
            init_from=init_from,
        )

    _train_together(store, order)


def _train_together(store: "Store", order: Callable[[], JobRecord]) -> None:
    """Train as the leader, or follow the process that `torchrun` made the leader."""
    from models.training.distributed import team_of_torchrun

    with team_of_torchrun() as team:
        context = replace(local_context(store), team=team)
        if team.leads:
            record = order()
            say(f"Job {record.id}; samples: {store.url}/jobs/{record.id}/samples")
            with interruptible() as stopped:
                _report(store, run_with_bar(record, context, stopped))
        else:
            from models.jobs.ddp_follower import run_following

            for number in (signal.SIGINT, signal.SIGTERM):  # only the leader decides when to stop
                signal.signal(number, signal.SIG_IGN)
            run_following(context)


def parse_overrides(texts: list[str] | None) -> dict[str, Any]:
    """Return `NAME=VALUE` texts as a mapping; a value is JSON, such as 64, 2e-4 or true.

    Raises:
        InvalidValue: A text has no "=", or its value is not JSON.
    """
    overrides: dict[str, Any] = {}
    for text in texts or ():
        name, _, value = text.partition("=")
        try:  # as JSON, the form that the API takes: both check the same types
            overrides[name.strip()] = json.loads(value)
        except ValueError:
            raise InvalidValue("set", text, "NAME=VALUE with a number, true or false") from None
    return overrides


def _given(name: str, value: str | None) -> str:
    if value is None:
        raise typer.BadParameter(f"{name} is required without --resume.")
    return value


def _refuse_with_resume(given: dict[str, object]) -> None:
    """Refuse what would be ignored: a resumed job keeps its own."""
    for name, value in given.items():
        if value:
            raise typer.BadParameter(f"{name} cannot be changed with --resume; leave it out.")


def _ordered(store: "Store", **parts: Any) -> JobRecord:
    from models.jobs.order import make_order

    try:
        order = make_order(store=store, **parts)
    except InvalidValue as err:
        raise _as_typed(err) from err
    record, _ = store.jobs.create(JobKind.TRAIN, order, runner=RUNNER)
    return record


def _as_typed(err: InvalidValue) -> InvalidValue:
    """Return an error that names the option instead of the field."""
    flag = FLAGS.get(err.field, err.field.replace("overrides.", "--set "))
    named_by_field = err.detail.startswith(f"{err.field} is ")
    return InvalidValue(flag, err.value, err.allowed, "" if named_by_field else err.detail)


def _resumed(store: "Store", name: str, budget: Budget, promote: Promote) -> JobRecord:
    """Return the job itself if it was interrupted, or a new one that resumes from its state."""
    from models.jobs.order import source_job

    job = source_job(store, name, field="resume")
    record = store.jobs.get(job)
    if not record.status.has_ended and record.runner != RUNNER:
        raise Conflict(
            f"The job {job} belongs to a worker.", "A running `cattery worker` continues it."
        )
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


def run_with_bar(
    record: JobRecord, context: "JobContext", stopped: Callable[[], bool]
) -> JobRecord:
    """Run a job in this process, with a progress bar; return its record, ended or paused."""
    from models.jobs.training_job import run_training

    # No lease: if two processes run one job, the store lets only the later one write. And no
    # announcement of promotions: front ends poll the store as well.
    with _progress_bar(lambda: context.store.jobs.get(record.id)):
        return run_training(
            record, context, should_stop=lambda: StopReason.PAUSE if stopped() else None
        )


def local_context(store: "Store") -> "JobContext":
    """Return the context of training jobs in this process, from the worker's settings."""
    from worker.jobs import job_context
    from worker.settings import WorkerSettings

    settings = read_settings(WorkerSettings)
    check_device(settings.device)
    return job_context(settings, store)


@contextmanager
def _progress_bar(read: Callable[[], JobRecord]) -> Iterator[None]:
    """Show a job's progress, read from its record, while the block runs."""
    done = threading.Event()
    with training_bar() as bar:
        task = bar.add_task("waiting", total=1.0, status="")

        def follow() -> None:
            while not done.wait(POLL_S):
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
    """Return the fields of the progress bar for a job's record."""
    progress = record.progress
    if progress.training_s_total:
        share = progress.training_s / progress.training_s_total
    else:
        share = progress.kimg / progress.kimg_total if progress.kimg_total else 0.0
    facts = [f"{progress.kimg:.1f} kimg"]
    if progress.images_per_s:
        facts.append(f"{progress.images_per_s:.0f} img/s")
    losses = progress.losses
    names = [name for name in ("discriminator", "generator") if name in losses]
    facts += [f"{name[0].upper()} {losses[name]:.2f}" for name in names]
    return {
        "description": record.phase or record.status,
        "completed": min(1.0, share),
        "status": "  ".join(facts),
    }


def _report(store: "Store", record: JobRecord) -> None:
    """Print how the job ended and what to do next.

    Raises:
        TrainingFailed: It published no version, or only its best snapshot.
    """
    if not record.status.has_ended:
        say(f"{record.reason} Resume with:  cattery train --resume {record.id}")
        return
    if record.version is None:
        raise TrainingFailed(f"The job {record.id} {record.status}: {record.reason}")
    name = f"{store.jobs.order(record).model}@{record.version}"  # type: ignore[union-attr]
    say(f"{name} {'is in service' if record.promoted else 'was published'}. {record.reason or ''}")
    if record.status is not JobStatus.FINISHED:
        raise TrainingFailed(f"The job {record.id} {record.status}; its best snapshot is kept.")
    say(f"See it:  cattery generate --model {name} -o cats.png")
