"""Which versions ship: those that the table marks, and one of the rivals."""

from dataclasses import replace

import pytest

from models.errors import InvalidValue
from models.store import Store
from models.store.records import Budget, JobKind, JobStatus
from tests import records
from tests.records import put_job
from tools.zoo.planning import order_for
from tools.zoo.release import select_versions
from tools.zoo.table import Entry, Role

ENTRIES = (
    Entry(recipe="dcgan", kimg=1, role=Role.SHIPPED),
    Entry(recipe="lsgan", kimg=1, role=Role.RIVAL),
    Entry(recipe="ralsgan", kimg=1, role=Role.RIVAL),
    Entry(recipe="ragan", kimg=1, role=Role.RIVAL),
    Entry(recipe="wgan", kimg=1),
)


def _train(store: Store, entry: Entry) -> str:
    """Leave a job and its version in the store, as training would; return the reference."""
    weights = entry.recipe.encode()
    card = store.versions.publish(entry.model, weights, records.card(recipe=entry.recipe), b"png")
    job, _ = store.jobs.create(JobKind.TRAIN, order_for(entry), runner="cli")
    put_job(store, replace(job, status=JobStatus.FINISHED, version=card.version))
    return f"{card.model}@{card.version}"


def test_the_chosen_rival_ships_with_the_fixed_entries(store):
    """Other rivals and entries that are only shown do not."""
    dcgan, lsgan, ralsgan, ragan, wgan = (_train(store, entry) for entry in ENTRIES)
    found = select_versions(ENTRIES, store, "ralsgan")
    assert found == ([dcgan, ralsgan], [lsgan, ragan, wgan])


@pytest.mark.parametrize("rival", [None, "wgan", "nobody"])
def test_one_of_several_rivals_must_be_chosen(store, rival):
    for entry in ENTRIES[:3]:
        _train(store, entry)
    with pytest.raises(InvalidValue, match="one of lsgan, ralsgan: look at their samples"):
        select_versions(ENTRIES, store, rival)


def test_untrained_entries_are_ignored(store):
    """As are versions of other orders; a single rival needs no choice."""
    dcgan = _train(store, ENTRIES[0])
    _train(store, replace(ENTRIES[1], kimg=2))
    assert order_for(ENTRIES[1]).budget == Budget(kimg=1)
    assert select_versions(ENTRIES, store, None) == ([dcgan], [])
    ragan = _train(store, ENTRIES[3])
    assert select_versions(ENTRIES, store, None) == ([dcgan, ragan], [])
