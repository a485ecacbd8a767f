from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.errors import DatasetError, StoreError
from models.metrics.blocks import as_rows
from models.metrics.features import Features
from models.metrics.frechet import Gaussian
from models.metrics.kid import kernel_means, project
from models.metrics.measuring import reference_statistics
from models.metrics.neighbors import nearest, precision_recall, squared_radii
from models.metrics.reference import Reference

CPU = torch.device("cpu")


def test_it_holds_what_follows_from_the_reals_alone(reference):
    rows = as_rows(reference.rows, CPU)
    assert (reference.count, rows.shape[1], len(reference.heldout)) == (40, 1280, 16)
    assert reference.pictures.tolist() == list(range(40))
    torch.testing.assert_close(reference.kernel_means, kernel_means(rows))
    torch.testing.assert_close(reference.squared_radii, squared_radii(rows))
    root = reference.gaussian.root
    torch.testing.assert_close(root @ root, torch.cov(rows.T), rtol=0, atol=2e-3)


def test_it_comes_back_from_its_file(reference):
    again = Reference.from_bytes(reference.to_bytes())
    for field in fields(Reference):
        old, new = getattr(reference, field.name), getattr(again, field.name)
        if isinstance(old, Gaussian):
            assert torch.equal(old.root, new.root)
            assert torch.equal(old.mean, new.mean)
        else:
            assert torch.equal(old, new) if isinstance(old, torch.Tensor) else old == new


def test_a_damaged_file_is_told_with_what_to_do(reference):
    """Cut short, of another format, or with parts that do not fit."""
    raw = reference.to_bytes()
    odd = replace(reference, kernel_means=reference.kernel_means[:5]).to_bytes()
    other = raw.replace(b"cattery-reference-2", b"cattery-reference-9")
    for bad in (raw[:100], raw[:-1], b"", odd, other):
        with pytest.raises(StoreError, match=r"damaged: .* Delete it in the store"):
            Reference.from_bytes(bad)


def test_half_precision_moves_no_metric(features, small_pictures):
    """KID moves by less than a hundredth of its half interval, neighbors do not move."""
    rows = as_rows(torch.from_numpy(features(small_pictures)), CPU)
    fake, exact = rows[40:], rows[:40]
    kept = exact.half().double()
    first, second = (project(real, kernel_means(real), fake) for real in (exact, kept))
    half = (first.interval[1] - first.interval[0]) / 2
    assert abs(first.value - second.value) < 0.01 * half
    radii = squared_radii(fake)
    found = [precision_recall(real, squared_radii(real), fake, radii) for real in (exact, kept)]
    assert found[0] == pytest.approx(found[1], abs=1e-9)
    distances = [nearest(fake, real)[0] for real in (exact, kept)]
    torch.testing.assert_close(distances[0], distances[1], rtol=1e-3, atol=1e-3)


def test_it_is_made_once_and_kept_with_the_dataset(store, reference, tmp_path, features):
    """The key tells fingerprint, network, precision, size and number; then nothing is computed."""
    keys = store.tree.names("datasets/small/references")
    assert "abababababab-efficientnet-lite0-fp32-32-40-2" in keys

    class Unused(Features):
        def __call__(self, *_: object, **__: object) -> NDArray[np.float32]:
            raise AssertionError

    dataset = store.datasets.get("small")
    again = reference_statistics(store, dataset, 32, cache=tmp_path, features=Unused(CPU))
    assert torch.equal(again.rows, reference.rows)


def test_more_reals_than_wanted_are_represented_from_all_over(store, features, tmp_path):
    """Packs may be sorted: three of forty are the first, one in the middle and the last."""
    dataset = store.datasets.get("small")
    heard: list[tuple[int, int]] = []
    found = reference_statistics(
        store, dataset, 32, cache=tmp_path, features=features, reals_at_most=3,
        on_progress=lambda done, total: heard.append((done, total)),
    )  # fmt: skip
    assert found.pictures.tolist() == [0, 20, 39]
    assert (len(found.heldout), len(found.squared_radii)) == (3, 0)
    assert heard[-1] == (6, 6)


def test_fewer_than_two_pictures_are_refused(make_store, tmp_path):
    """There is no variance to measure; the same for a size that it has not."""
    store = make_store(tmp_path, reals=1, heldout=0)
    with pytest.raises(DatasetError, match="1 images of 32 px"):
        reference_statistics(store, store.datasets.get("small"), 32, cache=tmp_path)
    with pytest.raises(DatasetError, match="0 images of 64 px"):
        reference_statistics(store, store.datasets.get("small"), 64, cache=tmp_path)


def test_a_damaged_reference_in_the_store_is_named(make_store, features, tmp_path):
    store = make_store(tmp_path)
    dataset = store.datasets.get("small")
    key = "abababababab-efficientnet-lite0-fp32-32-40-2"
    store.datasets.write_reference("small", key, b"torn")
    with pytest.raises(StoreError, match=f"datasets/small/references/{key}"):
        reference_statistics(store, dataset, 32, cache=tmp_path, features=features)
