"""A store of whole things, for tests to damage."""

import numpy as np
import pytest

from models.publishing.transfer import import_version
from models.store import Store
from models.store.records import JobKind
from tests import records
from tests.generators import weights_file


@pytest.fixture
def store(tmp_path):
    """Return a store with a model of two versions, a job and a dataset."""
    store = Store.open(str(tmp_path / "store"))
    for seed in range(2):
        card = import_version(store, "tabby", weights_file(seed=seed))
        store.aliases.promote("tabby", card.version)
    store.jobs.create(JobKind.TRAIN, records.training_order())
    small, large = (np.zeros((3, px, px, 3), np.uint8) for px in (32, 64))
    packs = {"32": small, "64": large, "32-heldout": small[:1], "64-heldout": large[:1]}
    records.add_dataset(store, tmp_path, packs)
    return store
