"""What is left to train, from entries and jobs alone."""

from dataclasses import replace
from itertools import chain

import pytest

from models.errors import NotFound, RecipeError
from models.jobs.order import make_order
from models.store import Store
from models.store.records import Budget, JobKind, JobRecord, JobStatus, Promote
from models.store.serialization import to_json
from tests.records import dataset_record, put_job
from tools.zoo.datasets import SOURCES
from tools.zoo.planning import (
    Capacity,
    EntryStatus,
    State,
    order_for,
    select,
    startable,
    status_of,
    survey,
    train_arguments,
)
from tools.zoo.table import EDITIONS, Entry

TABBY = Entry(recipe="dcgan", kimg=0.5, size_px=32, overrides={"width": 4, "batch": 8})
ENTRIES = list(chain.from_iterable(EDITIONS.values()))


def job(status=JobStatus.FINISHED, name="one", version=None, runner="cli", **order):
    """Return a job whose order is the entry's but for what is named."""
    return JobRecord(
        id=name,
        kind=JobKind.TRAIN,
        order={**to_json(order_for(TABBY)), **order},
        created_at="",
        status=status,
        version=version,
        runner=runner,
    )


def status(*jobs: JobRecord, published: bool = True) -> EntryStatus:
    """Return the entry's status, given its jobs, newest first."""
    return status_of(TABBY, jobs, lambda _model, _version: published)


def entry(model: str, memory_gb: float = 6.0) -> Entry:
    return Entry(recipe=model, kimg=1, memory_gb=memory_gb)


def waiting(state: State, *entries: Entry) -> list[EntryStatus]:
    return [EntryStatus(entry=each, state=state) for each in entries]


@pytest.mark.parametrize("name", EDITIONS)
def test_no_two_entries_of_an_edition_have_one_name(name):
    """A name on the command line selects one entry, and its dataset is known."""
    models = [each.model for each in EDITIONS[name]]
    assert len(models) == len(set(models)) > 0
    assert {each.dataset for each in EDITIONS[name]} <= set(SOURCES)


@pytest.mark.parametrize("each", ENTRIES, ids=lambda each: f"{each.model}-{each.kimg:g}")
def test_an_entry_s_order_is_that_of_its_command(each, tmp_path):
    """Validation leaves it unchanged, so that its job is recognized."""
    counts = {str(px): 5000 for px in (32, 64, 128, 256)}
    record = dataset_record(counts, name=each.dataset)
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
    assert order_for(each) == made


def test_the_command_has_all_parameters_of_an_entry():
    """Values are JSON."""
    words = " ".join(train_arguments(replace(TABBY, kimg=4000, seed=7, overrides={"augment": 0.3})))
    assert words == (
        "train dcgan --dataset cat --kimg 4000 --model dcgan-32 --size 32 --seed 7 "
        "--set augment=0.3 --promote never"
    )


def test_unknown_hyperparameters_are_rejected():
    """Before any dataset is made."""
    with pytest.raises(RecipeError, match=r"overrides\.clip is 1"):
        order_for(replace(TABBY, overrides={"clip": 1}))


def test_names_choose_entries_in_the_table_s_order():
    """None selects all; the error for an unknown one lists the known ones."""
    toy = EDITIONS["toy"]
    assert select(toy, []) == toy
    assert select(toy, ["ralsgan-32", "dcgan-32", "dcgan-32"]) == toy[:2]
    with pytest.raises(NotFound, match=r"no zoo entry 'tabby'\. Known: dcgan-32, ralsgan-32"):
        select(toy, ["dcgan-32", "tabby"])


def test_a_finished_job_with_its_version_is_done():
    """Whatever a later job came to."""
    done = job(version="a" * 12, promote="if_better")
    assert status(done) == EntryStatus(entry=TABBY, state=State.DONE, job=done)
    failed = job(JobStatus.FAILED, "two")
    assert status(failed, done).state is State.DONE


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
def test_a_job_with_another_order_is_another_job(other):
    """Also one that resumed from another's state, and one with a damaged order."""
    assert status(job(version="a" * 12, **other)).state is State.TO_DO


def test_what_has_no_version_of_the_command_line_s_is_still_to_do():
    """A deleted version is trained again; imports and a worker's open jobs count for nothing."""
    done = job(version="a" * 12)
    assert status(done, published=False) == EntryStatus(entry=TABBY, state=State.TO_DO)
    assert status(replace(job(), kind=JobKind.IMPORT)).state is State.TO_DO
    assert status(job(JobStatus.STARTED, runner="worker")).state is State.TO_DO


@pytest.mark.parametrize("end", [JobStatus.FAILED, JobStatus.COLLAPSED, JobStatus.CANCELED])
def test_a_job_that_ended_without_finishing_has_failed(end):
    """Though it may have published its best snapshot; the newest job counts."""
    newest = job(end, "two", version="b" * 12)
    failed = EntryStatus(entry=TABBY, state=State.FAILED, job=newest)
    assert status(newest, job(JobStatus.FAILED)) == failed


@pytest.mark.parametrize("open_status", [JobStatus.QUEUED, JobStatus.STARTED])
def test_a_job_that_has_not_ended_can_be_resumed(open_status):
    """A newer failure does not hide it."""
    open_job = job(open_status)
    assert status(open_job).state is State.INTERRUPTED
    assert status(job(JobStatus.FAILED, "two"), open_job).job == open_job


def test_interrupted_entries_start_first():
    """Up to the number of concurrent jobs; those that run count."""
    entries = waiting(State.TO_DO, entry("dcgan"), entry("lsgan"))
    entries += waiting(State.INTERRUPTED, entry("wgan"))
    started = startable(entries, [], Capacity(jobs=2))
    assert [each.entry.model for each in started] == ["wgan", "dcgan"]
    assert len(startable(entries, [], Capacity())) == 3
    assert len(startable(entries, [entry("r3gan")], Capacity(jobs=2))) == 1
    assert startable(entries, [entry("r3gan")], Capacity(jobs=1)) == []


def test_a_smaller_entry_overtakes_one_that_does_not_fit():
    """Of 20 GB, 6 are taken: 12 do not fit beside 6 more, 8 do; nothing is left for the last."""
    entries = (entry("lsgan", 6), entry("dcgan-selu", 12), entry("wgan", 8), entry("sngan", 1))
    capacity = Capacity(memory_gb=20)
    started = startable(waiting(State.TO_DO, *entries), [entry("dcgan", 6)], capacity)
    assert [each.entry.recipe for each in started] == ["lsgan", "wgan"]
    # Estimates may be wrong: one always starts alone, however little memory there is.
    large = waiting(State.TO_DO, entry("dcgan", 40), entry("lsgan", 40))
    started = startable(large, [], Capacity(memory_gb=10))
    assert [each.entry.model for each in started] == ["dcgan"]


def test_a_survey_reads_jobs_and_versions(tmp_path):
    store = Store.open(str(tmp_path / "store"))
    assert survey([TABBY], store) == waiting(State.TO_DO, TABBY)
    record, _ = store.jobs.create(JobKind.TRAIN, order_for(TABBY), runner="cli")
    [queued] = survey([TABBY], store)
    assert (queued.state, queued.job) == (State.INTERRUPTED, record)
    put_job(store, replace(record, status=JobStatus.FINISHED, version="a" * 12))
    assert survey([TABBY], store) == waiting(State.TO_DO, TABBY)
