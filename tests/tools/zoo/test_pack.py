"""Packing a release: float16 weights, a new version, and the size limits."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load as load_tensors

from models.errors import CatteryError, CheckpointError, InvalidValue, NotFound
from models.inference.checkpoints import load_generator, pack_generator
from models.inference.engine import Engine
from models.networks import NETWORKS
from models.store.records import Budget, Card, JobKind, Json
from models.store.serialization import loads
from models.store.versions import WEIGHTS
from tests import records
from tests.generators import weights_file
from tools.zoo.cli import ZOO
from tools.zoo.pack import MOST_FILE_BYTES, pack_version
from tools.zoo.release import MOST_ZOO_BYTES, check_sizes, write_cards, write_zoo
from tools.zoo.table import Role, edition

KID = {"name": "kid", "value": 0.25, "interval": [0.2, 0.3], "protocol": {"name": "cattery"}}


@pytest.fixture
def trained(store):
    """A version that a job trained, as the store knows it."""
    order = records.training_order(size_px=32, budget=Budget(kimg=2), seed=3)
    job, _ = store.jobs.create(JobKind.TRAIN, order, runner="cli")
    made = records.card(
        size_px=32,
        z_dim=16,
        seed=3,
        dataset={"license": "CC0"},
        metrics=({**KID, "value": 0.5},),
        job=job.id,
    )
    return store.versions.publish("dcgan", weights_file(), made, b"png")


def _measured(_card: Card, _weights: bytes) -> tuple[Json, ...]:
    return (KID,)


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_a_packed_file_has_half_the_size_and_the_same_pictures(kind):
    """Kernels are float16, vectors unchanged; pixels differ by at most two gray levels."""
    plain = weights_file(kind)
    packed = pack_generator(plain)
    kinds = {(tensor.ndim > 1, tensor.dtype) for tensor in load_tensors(packed).values()}
    assert kinds - {(False, torch.float32)} == {(True, torch.float16)}
    assert 0.45 < len(packed) / len(plain) < 0.75
    before, after = (Engine(load_generator(raw)).render(range(8)) for raw in (plain, packed))
    assert abs(before.astype(int) - after).max() <= 2
    assert before.std() > 0
    assert pack_generator(plain) == packed


def test_weights_too_large_for_float16_are_refused():
    with pytest.raises(CheckpointError, match=r"weights file: \S+\.weight is not finite"):
        pack_generator(weights_file(scale=1e8))


def test_a_generator_whose_cats_have_too_few_faces_is_refused(store, trained):
    """Nine tenths of the share of real images; without a count there is nothing to hold against."""
    faces = {"name": "single_face", "value": 0.78, "details": {"expected": 0.87}}
    ref = f"dcgan@{trained.version}"
    with pytest.raises(InvalidValue, match="one face in 78% of its images"):
        pack_version(store, ref, lambda *_: (KID, faces))
    enough = {**faces, "value": 0.79}
    assert pack_version(store, ref, lambda *_: (KID, enough)).card.metrics == (KID, enough)


def test_packing_publishes_a_new_version(store, trained):
    made = pack_version(store, f"dcgan@{trained.version}", _measured, picks=[7, 3])
    card = store.versions.card("dcgan", made.card.version)
    assert card == made.card
    assert card.version != trained.version
    assert card.parent == trained.version
    assert card.metrics == (KID,)
    assert card.picks == (7, 3)
    assert (card.order["seed"], card.order["budget"]["kimg"]) == (3, 2)
    assert card.job is None
    assert store.versions.weights("dcgan", card.version) == made.weights
    renamed = pack_version(store, f"dcgan@{trained.version}", _measured, model="tabby")
    assert store.versions.card("tabby", renamed.card.version).model == "tabby"


def test_packing_again_changes_picks_and_nothing_else(store, trained):
    """The same version, of the same parent, also when what was packed is packed itself."""
    first = pack_version(store, f"dcgan@{trained.version}", _measured, picks=[7])
    again = pack_version(store, f"dcgan@{first.card.version}", _measured, picks=[3])
    assert again.weights == first.weights
    assert again.card == replace(first.card, picks=(3,))
    assert store.versions.card("dcgan", first.card.version).picks == (3,)


def test_a_version_that_cannot_ship_is_not_packed(store, trained):
    """Unknown, unmeasured, with picks that are no seeds, or of data of an unknown license."""
    ref = f"dcgan@{trained.version}"
    with pytest.raises(NotFound, match=trained.version):
        pack_version(store, "dcgan@000000000000", _measured)
    with pytest.raises(CatteryError, match="cannot be measured"):
        pack_version(store, ref, lambda _card, _weights: ())
    for pick in (-1, 2**53):
        with pytest.raises(InvalidValue, match=str(pick)):
            pack_version(store, ref, _measured, picks=[pick])
    card = replace(trained, dataset={"name": "small", "license": ""})
    other = store.versions.publish("other", weights_file(seed=1), card, b"png").version
    with pytest.raises(InvalidValue, match="license"):
        pack_version(store, f"other@{other}", _measured)
    assert len(store.versions.list("dcgan")) == len(store.versions.list("other")) == 1


def test_the_release_folder_is_complete(store, trained, tmp_path):
    made = pack_version(store, f"dcgan@{trained.version}", _measured, picks=[7, 3, 5])
    write_zoo(tmp_path / "zoo", [made])
    entry = tmp_path / "zoo" / "dcgan"
    with Image.open(entry / "picks.png") as row:
        assert row.size == (3 * 32, 32)
        cats = Engine(load_generator(made.weights)).render([7, 3, 5])
        assert np.array_equal(np.asarray(row), np.concatenate(list(cats), axis=1))
    names = ["card.json", "generator.safetensors", "picks.png", "samples.png"]
    assert sorted(path.name for path in entry.iterdir()) == names
    assert loads(Card, (entry / "card.json").read_bytes()) == made.card
    assert (entry / "generator.safetensors").read_bytes() == made.weights


def test_the_manifest_lists_what_the_folder_holds(store, trained, tmp_path):
    """Including what was there before; a replaced rival is removed."""
    made = pack_version(store, f"dcgan@{trained.version}", _measured)
    for model in ("tabby", "ginger"):
        (tmp_path / model).mkdir()
        (tmp_path / model / "generator.safetensors").write_bytes(b"weights")
    write_zoo(tmp_path, [made], without=["ginger", "nobody"])
    assert (tmp_path / "models.txt").read_text() == "dcgan\ntabby\n"
    assert not (tmp_path / "ginger").exists()


def test_too_large_a_file_is_named_and_nothing_is_written(store, trained, tmp_path, monkeypatch):
    """The error states the limit and the remedy; it comes before any measurement."""
    made = pack_version(store, f"dcgan@{trained.version}", _measured)
    monkeypatch.setattr("tools.zoo.pack.MOST_FILE_BYTES", len(made.weights) - 1)
    with pytest.raises(InvalidValue, match=r"dcgan/generator\.safetensors.*less width"):
        write_zoo(tmp_path / "zoo", [made])
    unmeasured: Any = pytest.fail
    with pytest.raises(InvalidValue, match=r"dcgan/generator\.safetensors.*less width"):
        pack_version(store, f"dcgan@{trained.version}", unmeasured)
    assert not (tmp_path / "zoo").exists()


def test_all_files_together_have_a_limit(tmp_path):
    """Existing files count, and a replaced one counts once."""
    entry = tmp_path / "old"
    entry.mkdir()
    (entry / "generator.safetensors").write_bytes(bytes(20_000_000))
    check_sizes(tmp_path, {"old": 29_000_000, "a": 30_000_000, "b": 30_000_000})
    with pytest.raises(InvalidValue, match=r"110\.0 MB \(a 30\.0 MB, b 30\.0 MB, c 30\.0 MB, old"):
        check_sizes(tmp_path, {"a": 30_000_000, "b": 30_000_000, "c": 30_000_000})


def test_an_unshipped_version_leaves_card_and_samples(store, trained, tmp_path):
    """The docs are generated from them."""
    write_cards(tmp_path / "cards", store, [f"dcgan@{trained.version}"])
    card = loads(Card, (tmp_path / "cards" / "dcgan.json").read_bytes())
    assert card == replace(trained, order=card.order)
    assert card.order["seed"] == 3
    with Image.open(tmp_path / "cards" / "dcgan.png") as sheet:
        assert sheet.size == (8 * 32, 2 * 32)
        cat = Engine(load_generator(weights_file())).render([8])[0]
        assert np.array_equal(np.asarray(sheet)[32:, :32], cat)


@pytest.mark.parametrize(
    "entry",
    [e for name in ("gpu", "cpu") for e in edition(name) if e.role is not Role.SHOWN],
    ids=lambda e: f"{e.model}-{e.kimg:g}",
)
def test_every_entry_that_may_ship_fits_the_limit(entry):
    """At two bytes per weight and some for the header."""
    settings = entry.row.with_overrides(entry.overrides)
    with torch.device("meta"):
        network = entry.row.networks.generator(entry.row.network_config(entry.side_px, settings))
    size = 2 * sum(p.numel() for p in network.state_dict().values())
    assert size < 0.98 * MOST_FILE_BYTES


def test_the_zoo_of_this_release_is_within_its_limits():
    sizes = [path.stat().st_size for path in ZOO.glob(f"*/{WEIGHTS}")]
    assert 0 < max(sizes) <= MOST_FILE_BYTES
    assert sum(sizes) <= MOST_ZOO_BYTES
