"""Which versions ship: those that the table marks, and one of the rivals."""

from dataclasses import replace

import pytest

from models.errors import InvalidValue
from models.store import Store
from models.store.records import Budget, Card, JobKind, JobStatus
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
    card = Card(
        model="",
        version="",
        sha256="",
        recipe=entry.recipe,
        size_px=64,
        z_dim=100,
        latent="any",
        settings={},
        kimg=1.0,
        seed=1,
        created_at="2026-01-01T00:00:00Z",
    )
    card = store.versions.publish(entry.model, entry.recipe.encode(), card, b"png")
    job, _ = store.jobs.create(JobKind.TRAIN, order_for(entry), runner="cli")
    store.jobs.save(replace(job, status=JobStatus.FINISHED, version=card.version))
    return f"{card.model}@{card.version}"


def test_the_chosen_rival_ships_with_the_fixed_entries(tmp_path):
    """Other rivals and entries that are only shown do not."""
    store = Store.open(str(tmp_path))
    dcgan, lsgan, ralsgan, ragan, wgan = (_train(store, entry) for entry in ENTRIES)
    found = select_versions(ENTRIES, store, "ralsgan")
    assert found == ([dcgan, ralsgan], [lsgan, ragan, wgan])


@pytest.mark.parametrize("rival", [None, "wgan", "nobody"])
def test_one_of_several_rivals_must_be_chosen(tmp_path, rival):
    store = Store.open(str(tmp_path))
    for entry in ENTRIES[:3]:
        _train(store, entry)
    with pytest.raises(InvalidValue, match="one of lsgan, ralsgan: look at their samples"):
        select_versions(ENTRIES, store, rival)


def test_untrained_entries_are_ignored(tmp_path):
    """As are versions of other orders; a single rival needs no choice."""
    store = Store.open(str(tmp_path))
    dcgan = _train(store, ENTRIES[0])
    _train(store, replace(ENTRIES[1], kimg=2))
    assert order_for(ENTRIES[1]).budget == Budget(kimg=1)
    assert select_versions(ENTRIES, store, None) == ([dcgan], [])
    ragan = _train(store, ENTRIES[3])
    assert select_versions(ENTRIES, store, None) == ([dcgan, ragan], [])
