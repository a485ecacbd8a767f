"""What is left to train, from entries and jobs alone: no process, no time that passes."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest

from models.errors import NotFound, RecipeError
from models.jobs.order import make_order
from models.store import Store
from models.store.records import (
    Budget,
    DatasetRecord,
    Event,
    JobKind,
    JobRecord,
    JobStatus,
    Json,
    Promote,
)
from models.store.serialization import to_json
from tools.zoo.datasets import SOURCES
from tools.zoo.planning import (
    Outlook,
    Room,
    Standing,
    chosen,
    gives_signs,
    outlook,
    startable,
    survey,
    train_arguments,
    wanted,
    was_short_of_memory,
)
from tools.zoo.table import EDITIONS, Entry

TABBY = Entry(recipe="dcgan", kimg=0.5, size_px=32, overrides={"width": 4, "batch": 8})
ENTRIES = list(chain.from_iterable(EDITIONS.values()))


def job(
    status: JobStatus = JobStatus.FINISHED,
    name: str = "one",
    version: str | None = None,
    runner: str = "cli",
    reason: str | None = None,
    **order: object,
) -> JobRecord:
    """Return a job whose order is the entry's but for what is named."""
    return JobRecord(
        id=name,
        kind=JobKind.TRAIN,
        order={**to_json(wanted(TABBY)), **order},
        created_at="",
        status=status,
        version=version,
        runner=runner,
        reason=reason,
    )


def look(*jobs: JobRecord, running: tuple[str, ...] = (), published: bool = True) -> Outlook:
    """Tell how far the entry is, by jobs of which the newest comes first."""
    return outlook(
        TABBY,
        jobs,
        is_published=lambda _model, _version: published,
        is_running=lambda job: job.id in running,
    )


def entry(model: str, memory_gb: float = 6.0) -> Entry:
    """Return an entry of that recipe."""
    return Entry(recipe=model, kimg=1, memory_gb=memory_gb)


def waiting(standing: Standing, *entries: Entry) -> list[Outlook]:
    """Return entries of one standing."""
    return [Outlook(entry=each, standing=standing) for each in entries]


@pytest.mark.parametrize("name", EDITIONS)
def test_no_two_entries_of_an_edition_have_one_name(name: str) -> None:
    """A name on the command line means one entry, and its dataset can be had."""
    models = [each.model for each in EDITIONS[name]]
    assert len(models) == len(set(models)) > 0
    assert {each.dataset for each in EDITIONS[name]} <= set(SOURCES)


@pytest.mark.parametrize("each", ENTRIES, ids=lambda each: f"{each.model}-{each.kimg:g}")
def test_an_entry_s_order_is_the_one_that_its_command_makes(each: Entry, tmp_path: Path) -> None:
    """It passes every check, unchanged: so its job is found again by it."""
    counts = {str(px): 5000 for px in (32, 64, 128, 256)}
    record = DatasetRecord(
        name=each.dataset, fingerprint="", kept=1, heldout=0, counts=counts, heldout_counts={}
    )
    made = make_order(
        recipe=each.recipe,
        dataset=record,
        store=Store.open(str(tmp_path / "store")),
        budget=Budget(kimg=each.kimg),
        model=each.model,
        size_px=each.side_px,
        seed=each.seed,
        overrides=each.overrides,
        promote=Promote.NEVER,
    )
    assert wanted(each) == made


def test_the_documented_command_says_all_of_an_entry() -> None:
    """Every word of it, numbers as JSON."""
    words = " ".join(train_arguments(replace(TABBY, kimg=4000, seed=7, overrides={"augment": 0.3})))
    assert words == (
        "train dcgan --dataset cat --kimg 4000 --model dcgan-32 --size 32 --seed 7 "
        "--set augment=0.3 --promote never"
    )


def test_numbers_that_the_recipe_has_not_are_refused() -> None:
    """Before any dataset is made."""
    with pytest.raises(RecipeError, match=r"overrides\.clip is 1"):
        wanted(replace(TABBY, overrides={"clip": 1}))


def test_names_choose_entries_in_the_table_s_order() -> None:
    """None means all; an unknown one is told with those that are known."""
    toy = EDITIONS["toy"]
    assert chosen(toy, []) == toy
    assert chosen(toy, ["ralsgan-32", "dcgan-32", "dcgan-32"]) == toy[:2]
    with pytest.raises(NotFound, match=r"no zoo entry 'tabby'\. Known: dcgan-32, ralsgan-32"):
        chosen(toy, ["dcgan-32", "tabby"])


def test_a_finished_job_with_its_version_is_done() -> None:
    """Whatever else was tried of it, later too."""
    done = job(version="a" * 12, promote="if_better")
    assert look(done) == Outlook(entry=TABBY, standing=Standing.DONE, job=done)
    failed = job(JobStatus.FAILED, "two")
    assert look(failed, done).standing is Standing.DONE


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 2},
        {"budget": {"kimg": 0.6}},
        {"overrides": {"width": 4}},
        {"dataset": "cats"},
        {"model": "tabby"},
        {"resume_from": "zero"},
        {"size_px": "wide"},
        {"budget": None},
    ],
)
def test_a_job_with_another_order_is_another_job(other: Json) -> None:
    """Also one that went on from another's state, and one whose order is damaged."""
    assert look(job(version="a" * 12, **other)).standing is Standing.TO_DO


def test_an_import_is_no_training() -> None:
    """Whatever its order may hold."""
    assert look(replace(job(), kind=JobKind.IMPORT)).standing is Standing.TO_DO


def test_a_deleted_version_is_made_again() -> None:
    """Its job alone is no generator."""
    done = job(version="a" * 12)
    assert look(done, published=False) == Outlook(entry=TABBY, standing=Standing.TO_DO)


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.COLLAPSED, JobStatus.CANCELED])
def test_what_ended_otherwise_has_ended(status: JobStatus) -> None:
    """Though it may have published its best snapshot; the newest job tells."""
    newest = job(status, "two", version="b" * 12)
    assert look(newest, job(JobStatus.FAILED)) == Outlook(
        entry=TABBY, standing=Standing.ENDED, job=newest
    )


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.STARTED])
def test_what_has_not_ended_is_busy_or_interrupted(status: JobStatus) -> None:
    """As some process carries it out or none does; a newer failure does not hide it."""
    open_job = job(status)
    assert look(open_job).standing is Standing.INTERRUPTED
    assert look(open_job, running=("one",)).standing is Standing.BUSY
    assert look(job(JobStatus.FAILED, "two"), open_job).job == open_job


def test_a_worker_s_open_job_is_left_to_it() -> None:
    """Only jobs of the command line are gone on with."""
    assert look(job(JobStatus.STARTED, runner="worker")).standing is Standing.TO_DO


def test_a_job_gives_signs_for_fifteen_seconds() -> None:
    """By the last line of its history; one that waits or has none gives none."""
    now = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
    old = Event(id=1, type="started", at="2026-11-24T11:00:00.000000Z", data={})
    last = Event(id=2, type="progress", at="2026-11-24T12:00:05.500000Z", data={})
    started = job(JobStatus.STARTED)
    assert gives_signs(started, [old, last], now)
    assert not gives_signs(started, [old], now)
    assert not gives_signs(started, [], now)
    assert not gives_signs(job(JobStatus.QUEUED), [old, last], now)


def test_as_many_start_as_there_are_places() -> None:
    """Interrupted ones first; those that run take places too."""
    outlooks = [
        *waiting(Standing.TO_DO, entry("dcgan"), entry("lsgan")),
        *waiting(Standing.INTERRUPTED, entry("wgan")),
        *waiting(Standing.BUSY, entry("ragan")),
        *waiting(Standing.ENDED, entry("sngan")),
    ]
    started = startable(outlooks, [], Room(places=2))
    assert [each.entry.model for each in started] == ["wgan", "dcgan"]
    assert len(startable(outlooks, [], Room())) == 3
    assert len(startable(outlooks, [entry("r3gan")], Room(places=2))) == 1
    assert startable(outlooks, [entry("r3gan")], Room(places=1)) == []


def test_memory_is_filled_and_a_smaller_one_may_overtake() -> None:
    """Of 20 GB, 6 are taken: 12 do not go with 6 more, 8 do; nothing is left for the last."""
    entries = (entry("lsgan", 6), entry("dcgan-selu", 12), entry("wgan", 8), entry("sngan", 1))
    started = startable(waiting(Standing.TO_DO, *entries), [entry("dcgan", 6)], Room(memory_gb=20))
    assert [each.entry.recipe for each in started] == ["lsgan", "wgan"]


def test_one_always_starts_alone() -> None:
    """However small the room: whether it fits is only known by trying."""
    started = startable(
        waiting(Standing.TO_DO, entry("dcgan", 40), entry("lsgan", 40)), [], Room(memory_gb=10)
    )
    assert [each.entry.model for each in started] == ["dcgan"]


@pytest.mark.parametrize(
    ("status", "reason", "was_short"),
    [
        (JobStatus.FAILED, "The memory of cuda does not hold a batch of 64; 32 fits.", True),
        (JobStatus.FAILED, "AcceleratorError: CUDA error: out of memory", True),
        (JobStatus.FAILED, "RuntimeError: CUDNN_STATUS_ALLOC_FAILED", True),
        (JobStatus.FAILED, "The training state of job one is gone.", False),
        (JobStatus.FAILED, None, False),
        (JobStatus.COLLAPSED, "It ran out of memory.", False),
    ],
)
def test_a_lack_of_memory_is_known_by_the_reason(
    status: JobStatus, reason: str | None, was_short: bool
) -> None:
    """Of jobs that failed only."""
    assert was_short_of_memory(job(status, reason=reason)) is was_short


def test_a_survey_reads_jobs_versions_and_histories(tmp_path: Path) -> None:
    """A job that has just written is somebody's, unless the caller says it is its own."""
    store = Store.open(str(tmp_path / "store"))
    assert survey([TABBY], store) == waiting(Standing.TO_DO, TABBY)
    record, _ = store.jobs.create(JobKind.TRAIN, wanted(TABBY), runner="cli")
    [queued] = survey([TABBY], store)
    assert (queued.standing, queued.job) == (Standing.INTERRUPTED, record)
    store.jobs.save(replace(record, status=JobStatus.STARTED))
    store.jobs.append_event(record.id, "started", {})
    assert [each.standing for each in survey([TABBY], store)] == [Standing.BUSY]
    assert [e.standing for e in survey([TABBY], store, {record.id})] == [Standing.INTERRUPTED]
    store.jobs.save(replace(record, status=JobStatus.FINISHED, version="a" * 12))
    assert survey([TABBY], store) == waiting(Standing.TO_DO, TABBY)
