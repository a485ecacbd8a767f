"""What stops an evaluation, and what merely leaves a version without metrics."""

import pytest
import torch

from models.errors import BadEntry, CatteryError, LeaseLost, StoreError
from models.publishing.evaluation import Evaluator
from tests.generators import weights_file
from tests.records import dataset_record


@pytest.fixture
def failing(store_with_cats, tmp_path, monkeypatch):
    """Return a function that makes an evaluator whose measuring raises an error."""

    def make(error):
        def measure(*_):
            raise error

        monkeypatch.setattr(Evaluator, "_measure", measure)
        record = dataset_record({"32": 8})
        return Evaluator(store_with_cats, record, 32, tmp_path, torch.device("cpu"))

    return make


@pytest.mark.parametrize("error", [StoreError("The disk is full."), LeaseLost("j")])
def test_a_job_that_must_stop_is_not_taken_for_one_without_metrics(failing, error):
    """The journal is written while measuring; the job resumes and is measured then."""
    evaluator = failing(error)
    for measured in (evaluator.version, evaluator.snapshot):
        with pytest.raises(type(error)):
            measured(weights_file(z_dim=8, width=4))


@pytest.mark.parametrize(
    "error", [BadEntry("pack", "It is damaged."), CatteryError("Too few."), ValueError("nan")]
)
def test_what_stays_impossible_leaves_a_version_without_metrics(failing, error):
    evaluator = failing(error)
    assert evaluator.version(weights_file(z_dim=8, width=4)) is None
    assert evaluator.snapshot(weights_file(z_dim=8, width=4)) == ()
