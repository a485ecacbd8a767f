import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.errors import InvalidValue
from models.inference.checkpoints import Generator
from models.metrics.comparison import Measurement
from models.metrics.features import Features
from models.metrics.kid import difference
from models.metrics.measuring import face_tally, measure, reference_statistics
from tests.records import add_dataset

CPU = torch.device("cpu")


@pytest.fixture
def measured(reference, features, replaying, few):
    """Return what measures given pictures by a protocol with so many fakes."""

    def look(shown, name, fakes, **heard):
        return measure(replaying(shown), reference, features, CPU, few(name, fakes), **heard)

    return look


def _values(found: Measurement) -> dict[str, float]:
    return {row["name"]: row["value"] for row in found.rows}


def test_unseen_cats_are_near_and_new(measured, small_pictures):
    heard: list[tuple[int, int]] = []
    found = measured(
        small_pictures[40:], "cattery", 24, on_progress=lambda *done: heard.append(done)
    )
    assert heard[-1] == (24, 24)
    names = ["frechet_distance", "kid", "precision", "recall", "memorization"]
    assert [row["name"] for row in found.rows] == names
    low, high = found.rows[1]["interval"]
    assert low < 0 < high
    assert _values(found)["precision"] > 0.5
    assert 0 <= _values(found)["memorization"] <= 0.3
    assert found.rows[0]["protocol"] == {
        "name": "cattery",
        "features": "efficientnet-lite0",
        "resizer": "torch bicubic antialiased to 224",
        "precision": "fp32",
        "size_px": 32,
        "fakes": 24,
        "seeds": "0 to 23",
        "reals": 40,
        "dataset": "small",
        "fingerprint": "ab" * 32,
        "kid": "kernel (x.y / D + 1)^3, unbiased, all pairs",
    }
    assert json.loads(json.dumps(found.rows)) == list(found.rows)


def test_training_pictures_shown_again_are_told_as_memorized(measured, small_pictures):
    shown = small_pictures[7:27]
    found = measured(shown, "cattery", 20)
    assert _values(found)["memorization"] == 1.0
    assert _values(found)["precision"] == 1.0
    details = found.rows[4]["details"]
    assert details["expected"] == pytest.approx(1 / 17, abs=1e-5)
    assert details["median_ratio"] < 0.01
    assert details["heldout"] == 16
    assert len(found.closest) == len(details["closest"]) == 8
    assert all(pair.picture == pair.seed + 7 for pair in found.closest)
    assert found.closest[0].distance < 0.02


def test_a_snapshot_is_measured_by_two_metrics(measured, small_pictures):
    """KID with its interval and the Frechet distance; noise is told from cats by both."""
    cats = measured(small_pictures[40:56], "snapshot", 16)
    noise = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3)).astype(np.uint8)
    worse = measured(noise, "snapshot", 16)
    assert [row["name"] for row in cats.rows] == ["frechet_distance", "kid"]
    assert (cats.closest, dict(cats.absent)) == ((), {})
    assert all(_values(worse)[name] > _values(cats)[name] for name in _values(cats))
    assert difference(cats.projections, worse.projections).interval[1] < 0


def test_what_cannot_be_told_is_absent(
    make_store, tmp_path, features, small_pictures, replaying, few
):
    """With its reason. Three reals and none held out: no neighbors to count, but a KID."""
    store = make_store(tmp_path, reals=3, heldout=0)
    dataset = store.datasets.get("small")
    reference = reference_statistics(store, dataset, 32, cache=tmp_path, features=features)
    pictures = small_pictures[40:48]
    found = measure(replaying(pictures), reference, features, CPU, few("cattery", 8))
    assert [row["name"] for row in found.rows] == ["frechet_distance", "kid"]
    assert set(found.absent) == {"precision", "recall", "memorization"}
    assert "number of images is 3" in found.absent["precision"]
    assert "held out is 0" in found.absent["memorization"]


def test_parts_that_do_not_belong_together_are_refused(features, reference, small_pictures, few):
    generator = Generator(torch.nn.Identity(), {}, {"size_px": 64, "z_dim": 2})
    with pytest.raises(InvalidValue, match=r"at 64 px.*at 32 px"):
        measure(generator, reference, features, CPU, few("snapshot", 4))
    other = Features(CPU, "efficientnet-lite0-imagenet")
    generator = Generator(torch.nn.Identity(), {}, {"size_px": 32, "z_dim": 2})
    with pytest.raises(InvalidValue, match="efficientnet-lite0-imagenet-fp32"):
        measure(generator, reference, other, CPU, few("snapshot", 4))


def test_faces_are_counted_in_the_first_fakes(
    measured, store, few, small_pictures, tmp_path, monkeypatch
):
    """Beside the share of as many real images, which is kept; other results stay as they were."""
    row = replace(few("cattery", 24), faces=16)
    tally = face_tally(store, store.datasets.get("small"), 32, row, cache=tmp_path)
    found = measured(small_pictures[40:], "cattery", 24, faces=tally)
    plain = measured(small_pictures[40:], "cattery", 24)
    assert found.rows[:-1] == plain.rows
    assert found.rows[-1]["name"] == "single_face"
    assert found.rows[-1]["value"] > 0.5
    assert found.rows[-1]["details"] == {"expected": tally.expected, "images": 16}
    monkeypatch.setattr("models.metrics.faces.FaceCounter.single_share", None)  # not counted again
    again = face_tally(store, store.datasets.get("small"), 32, row, cache=tmp_path)
    assert again is not None
    assert again.expected == tally.expected


def test_faces_of_a_dataset_without_frontal_cats_are_not_counted(make_store, few, tmp_path):
    store = make_store(tmp_path)
    gray = np.full((20, 32, 32, 3), 128, np.uint8)
    add_dataset(store, tmp_path, {"32": gray}, name="gray", fingerprint="cd" * 32)
    assert (
        face_tally(store, store.datasets.get("gray"), 32, few("cattery", 24), cache=tmp_path)
        is None
    )


def test_without_the_extra_no_faces_are_counted(store, few, tmp_path, monkeypatch):
    monkeypatch.setattr("models.images.cat_faces.find_spec", lambda _name: None)
    row = few("cattery", 24)
    assert face_tally(store, store.datasets.get("small"), 32, row, cache=tmp_path) is None
