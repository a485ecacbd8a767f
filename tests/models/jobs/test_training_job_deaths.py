"""Training jobs whose processes die: while they measure or publish, and once too often."""

from contextlib import suppress

import pytest

from models.errors import LeaseLost, StoreError
from models.jobs.context import JobContext
from models.jobs.training_job import run_training
from models.publishing.evaluation import Evaluator
from models.store import Store
from models.store.journal import DIED, Journal
from models.store.records import JobKind, JobStatus, Phase, Promote
from tests.faults import FaultyTree, PowerCut, store_over

NEVER = 1 << 30
MAX_DEATHS = 2
PUBLISH = "models.publishing.publish.Publisher.publish"


def run(store, record, tmp_path, **more):
    context = JobContext(store=store, cache=tmp_path / "cache", device="cpu", fakes=64)
    return run_training(record, context, **more)


def die(*_, **__):
    raise PowerCut


@pytest.fixture
def unmeasured(monkeypatch):
    """Let nothing be evaluated, which takes most of a short job's time."""
    monkeypatch.setattr(Evaluator, "prepare", lambda _: None)
    monkeypatch.setattr(Evaluator, "_measured", lambda *_: None)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Let a job give up at its second death."""
    monkeypatch.setattr("models.store.journal.MAX_DEATHS", MAX_DEATHS)


def killed(store, record, tmp_path):
    """Run a job whose process dies, and return it to the queue as the reaper does."""
    with pytest.raises(PowerCut):
        run(store, record, tmp_path)
    return Journal(store.jobs.get(record.id), store).interrupt(DIED)


@pytest.mark.parametrize(("part", "is_measured"), [("version", True), ("snapshot", False)])
def test_a_job_that_is_killed_whenever_it_is_measured_publishes_its_best(
    store_with_cats, small_order, tmp_path, monkeypatch, part, is_measured
):
    """It never goes into service, and the reason says what happened."""
    store = store_with_cats
    monkeypatch.setattr(Evaluator, part, die)
    record, _ = store.jobs.create(JobKind.TRAIN, small_order(promote=Promote.ALWAYS))
    for deaths in range(1, MAX_DEATHS + 1):
        record = killed(store, record, tmp_path)
        assert (record.status, record.gives_up) == (JobStatus.QUEUED, deaths == MAX_DEATHS)
    ended = run(store, record, tmp_path)
    assert (ended.status, ended.promoted) == (JobStatus.FAILED, False)
    assert "2 times without making progress" in str(ended.reason)
    card = store.versions.card("tiny", str(ended.version))
    assert card.kimg == 0.08
    assert bool(card.metrics) == is_measured
    assert store.aliases.get("tiny").serving is None


@pytest.mark.parametrize("later", ["models.publishing.evaluation.Evaluator.version", PUBLISH])
def test_reaching_the_next_phase_is_progress(
    unmeasured, store_with_cats, small_order, tmp_path, monkeypatch, later
):
    """Deaths before it do not count when it is reached."""
    store = store_with_cats
    record, _ = store.jobs.create(JobKind.TRAIN, small_order())
    for part in ("models.jobs.training_run.train", later):
        with monkeypatch.context() as patch:
            patch.setattr(part, die)
            for _ in range(MAX_DEATHS - 1):
                record = killed(store, record, tmp_path)
                assert not record.gives_up
    assert run(store, record, tmp_path).status is JobStatus.FINISHED


def test_who_loses_the_job_while_measuring_moves_no_alias(
    unmeasured, store_with_cats, small_order, tmp_path, monkeypatch
):
    """Neither with a lost lease nor when another process has just taken the job over."""
    store, original = store_with_cats, Evaluator.version
    for how in ("lease", "taken over"):
        record, _ = store.jobs.create(JobKind.TRAIN, small_order(promote=Promote.ALWAYS))
        lost: list[str] = []

        def measure(*arguments, record=record, lost=lost, how=how):
            lost.append(how)
            if how == "taken over":
                Journal(store.jobs.get(record.id), store).interrupt(DIED)
            return original(*arguments)

        monkeypatch.setattr(Evaluator, "version", measure)
        with pytest.raises(LeaseLost):
            run(store, record, tmp_path, lease=lambda lost=lost: lost != ["lease"])
        assert store.aliases.get("tiny").history == ()
        assert store.jobs.get(record.id).version is None


@pytest.mark.slow
@pytest.mark.parametrize("how", ["before", "after", "full"])
def test_a_death_at_any_moment_of_publishing_promotes_once(
    unmeasured, store_with_cats, small_order, tmp_path, how
):
    """The version, its card, the alias and the job's record agree, and nothing is done twice."""
    root = store_with_cats.tree.root
    counting = FaultyTree(root, NEVER, how)
    first, _ = store_with_cats.jobs.create(JobKind.TRAIN, small_order(seed=99))
    begins = []

    def note(journal, phase, original=Journal.phase):
        begins.append((phase, counting.count))
        original(journal, phase)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "phase", note)
        assert run(store_over(counting), first, tmp_path).status is JobStatus.FINISHED
    begin = dict(begins)[Phase.PUBLISHING]
    for at in range(begin, counting.count):
        order = small_order(seed=at, promote=Promote.ALWAYS, model=f"tiny-{at}")
        record, _ = store_with_cats.jobs.create(JobKind.TRAIN, order)
        with suppress(PowerCut, StoreError):
            run(store_over(FaultyTree(root, at, how)), record, tmp_path)
        clean = Store.open(str(root))
        record = clean.jobs.get(record.id)
        if record.status is JobStatus.STARTED:
            record = Journal(record, clean).interrupt(DIED)
        if not record.status.has_ended:
            record = run(clean, record, tmp_path)
        assert (record.status, record.promoted) == (JobStatus.FINISHED, True)
        aliases = clean.aliases.get(order.model)
        assert [move.version for move in aliases.history] == [record.version]
        assert [card.version for card in clean.versions.list(order.model)] == [record.version]
        events = [event.type for event in clean.jobs.events(record.id)]
        assert (events.count("published"), events[-1]) == (1, "finished")


def test_a_version_rolled_back_meanwhile_is_not_promoted_again(
    unmeasured, store_with_cats, small_order, tmp_path, monkeypatch
):
    """The process died after it had promoted it; whoever rolled back had the last word."""
    store = store_with_cats
    always = small_order(seed=1, promote=Promote.ALWAYS)
    before = run(store, store.jobs.create(JobKind.TRAIN, always)[0], tmp_path)
    record, _ = store.jobs.create(JobKind.TRAIN, small_order(promote=Promote.ALWAYS))
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "end", die)
        waiting = killed(store, record, tmp_path)
    assert store.aliases.rollback("tiny").serving == before.version
    ended = run(store, waiting, tmp_path)
    assert (ended.status, ended.reason) == (JobStatus.FINISHED, None)
    assert store.aliases.get("tiny").serving == before.version
