"""Which versions are shipped: what the table names, and the best of the rivals."""

from dataclasses import replace

from models.store import Store
from models.store.records import Budget, Card, JobKind, JobStatus
from models.zoo.choosing import shipped_and_shown
from models.zoo.planning import wanted
from models.zoo.table import Entry, Part

ENTRIES = (
    Entry(recipe="dcgan", kimg=1, part=Part.SHIPPED),
    Entry(recipe="lsgan", kimg=1, part=Part.RIVAL),
    Entry(recipe="ralsgan", kimg=1, part=Part.RIVAL),
    Entry(recipe="ragan", kimg=1, part=Part.RIVAL),
    Entry(recipe="wgan", kimg=1),
)


def _train(store: Store, entry: Entry, kid: float | None) -> str:
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
        metrics=() if kid is None else ({"name": "kid", "value": kid},),
    )
    card = store.versions.publish(entry.model, entry.recipe.encode(), card, b"png")
    job, _ = store.jobs.create(JobKind.TRAIN, wanted(entry), runner="cli")
    store.jobs.save(replace(job, status=JobStatus.FINISHED, version=card.version))
    return f"{card.model}@{card.version}"


def _kid(card: Card) -> float:
    return float(card.metrics[0]["value"]) if card.metrics else float("inf")


def test_the_best_rival_is_shipped_beside_what_the_table_names(tmp_path):
    """By what the judge says; one that was not measured loses, what is only shown stays behind."""
    store = Store.open(str(tmp_path))
    kids = (0.9, 0.3, 0.2, None, 0.1)
    dcgan, lsgan, ralsgan, ragan, wgan = (
        _train(store, entry, kid) for entry, kid in zip(ENTRIES, kids, strict=True)
    )
    assert shipped_and_shown(ENTRIES, store, _kid) == ([dcgan, ralsgan], [lsgan, ragan, wgan])


def test_what_was_not_trained_is_neither(tmp_path):
    """Nor is a version of another order."""
    store = Store.open(str(tmp_path))
    dcgan = _train(store, ENTRIES[0], 0.9)
    _train(store, replace(ENTRIES[1], kimg=2), 0.3)
    assert wanted(ENTRIES[1]).budget == Budget(kimg=1)
    assert shipped_and_shown(ENTRIES, store, _kid) == ([dcgan], [])
