import pytest

from models.jobs.snapshots import Snapshots
from models.store import Store
from models.store.journal import Journal
from models.store.records import JobKind
from tests import records


def _rows(kid, faces=None):
    rows = [{"name": "kid", "value": kid, "protocol": {"name": "snapshot"}}]
    if faces is not None:
        rows.append({"name": "single_face", "value": faces, "details": {"expected": 0.9}})
    return tuple(rows)


@pytest.fixture
def taken(tmp_path):
    """Return the weights kept from a run of snapshots with these results."""

    def take(*results):
        store = Store.open(str(tmp_path / "store"))
        record, _ = store.jobs.create(JobKind.TRAIN, records.training_order())
        journal = Journal(record, store)
        state = store.jobs.state(journal.record.id)
        snapshots = Snapshots(journal, state, state.take(), lambda raw: results[int(raw)])
        for number in range(len(results)):
            snapshots.take(str(number).encode, number + 1.0, 60.0)
        assert journal.record.best == snapshots.best
        return int(snapshots.weights())

    return take


def test_the_lowest_kid_is_the_best(taken):
    assert taken(_rows(0.5), _rows(0.2), _rows(0.3)) == 1


def test_five_eyed_monsters_with_the_lowest_kid_are_passed_over(taken):
    assert taken(_rows(0.5, 0.3), _rows(0.3, 0.82), _rows(0.1, 0.0), _rows(0.28, 0.81)) == 3


def test_while_none_has_enough_faces_the_kid_decides(taken):
    assert taken(_rows(0.5, 0.0), _rows(0.3, 0.1), _rows(0.4, 0.2)) == 1


def test_what_could_not_be_measured_is_best_only_if_all_else_is_missing(taken):
    assert taken((), _rows(0.5), ()) == 1
    assert taken(()) == 0
