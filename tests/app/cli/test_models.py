"""Versions, aliases and parcels from the command line."""

import json
import zipfile
from dataclasses import replace

import pytest

from app.cli.archives import read_export, write_export
from models.errors import CheckpointError, Conflict
from tests.app.fake_engine import real_weights
from tests.app.ordering import new_job
from tests.records import put_job


def test_list_tells_which_version_serves(cattery, store, published):
    old, new = published(b"old"), published(b"new")
    store.aliases.promote("tabby", old.version)
    store.aliases.promote("tabby", new.version)
    rows = {row.split()[0]: row.split()[1] for row in cattery("models", "list").out.splitlines()}
    assert rows[f"tabby@{new.version}"] == "serving"
    assert rows[f"tabby@{old.version}"] == "previous"


def test_show_prints_the_card_as_json(cattery, published):
    card = published(b"weights")
    shown = json.loads(cattery("models", "show", f"tabby@{card.version}").out)
    assert (shown["version"], shown["kimg"]) == (card.version, 1.5)


def test_promote_and_rollback_move_the_alias(cattery, store, published):
    """`promote` takes a prefix of a version; `rollback` undoes it."""
    old, new = published(b"old"), published(b"new")
    assert cattery("models", "promote", f"tabby@{old.version}").code == 0
    assert cattery("models", "promote", f"tabby@{new.version[:6]}", "--reason", "nicer").code == 0
    assert store.aliases.get("tabby").serving == new.version
    assert store.aliases.get("tabby").history[-1].reason == "nicer"
    assert f"tabby@{old.version} is in service again" in cattery("models", "rollback", "tabby").err
    assert store.aliases.get("tabby").serving == old.version


def test_the_serving_version_is_not_deleted(cattery, store, published):
    kept, spare = published(b"kept"), published(b"spare")
    store.aliases.promote("tabby", kept.version)
    assert cattery("models", "delete", f"tabby@{kept.version}").code == 1
    assert cattery("models", "delete", f"tabby@{spare.version}").code == 0
    assert [card.version for card in store.versions.list("tabby")] == [kept.version]


def test_a_whole_model_is_deleted_though_it_is_in_service(cattery, store, published):
    store.aliases.promote("tabby", published(b"only").version)
    assert "1 version" in cattery("models", "delete", "tabby", "--all").err
    assert store.versions.models() == []
    assert store.aliases.get("tabby").serving is None
    assert cattery("models", "delete", "tabby", "--all").code == 1


def test_a_model_in_training_and_the_default_model_stay(cattery, store, published, monkeypatch):
    published(b"only")
    job = new_job(store)
    put_job(store, replace(job, order=job.order | {"model": "tabby"}))
    assert job.id in cattery("models", "delete", "tabby", "--all").err
    cattery("jobs", "cancel", job.id)
    monkeypatch.setenv("CATTERY_DEFAULT_MODEL", "tabby@previous")
    assert "CATTERY_DEFAULT_MODEL" in cattery("models", "delete", "tabby", "--all").err
    assert store.versions.models() == ["tabby"]
    monkeypatch.delenv("CATTERY_DEFAULT_MODEL")
    assert cattery("models", "delete", "tabby", "--all").code == 0


@pytest.mark.parametrize("name", ["parcel.zip", "parcel"])
def test_a_parcel_brings_back_what_went_in(cattery, published, tmp_path, name):
    card = published(b"weights")
    target = tmp_path / name
    assert cattery("models", "export", f"tabby@{card.version}", "-o", str(target)).code == 0
    assert read_export(target) == (b"weights", card)


def test_weights_alone_are_a_parcel_without_card(tmp_path):
    (tmp_path / "any.safetensors").write_bytes(b"weights")
    assert read_export(tmp_path / "any.safetensors") == (b"weights", None)


def test_export_never_overwrites(published, tmp_path):
    (tmp_path / "mine.zip").write_text("precious")
    with pytest.raises(Conflict, match="already exists"):
        write_export(tmp_path / "mine.zip", b"weights", published(b"weights"))
    assert (tmp_path / "mine.zip").read_text() == "precious"


def test_a_zip_without_weights_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("../generator.safetensors", "escaped")
    (tmp_path / "broken.zip").write_text("no zip")
    with pytest.raises(CheckpointError, match="has no generator"):
        read_export(tmp_path / "other.zip")
    with pytest.raises(CheckpointError, match="not a readable zip"):
        read_export(tmp_path / "broken.zip")


def test_an_imported_version_is_checked_and_does_not_serve_yet(cattery, store, tmp_path):
    """A real generator comes in under a new name; damaged weights do not."""
    weights = real_weights(1, 64, 8)
    (tmp_path / "good.safetensors").write_bytes(weights)
    (tmp_path / "bad.safetensors").write_bytes(weights[:-100])
    outcome = cattery("models", "import", "visitor", str(tmp_path / "good.safetensors"))
    assert outcome.code == 0, outcome.err
    assert len(store.versions.list("visitor")) == 1
    assert store.aliases.get("visitor").serving is None
    assert cattery("models", "import", "visitor", str(tmp_path / "bad.safetensors")).code == 1
    assert len(store.versions.list("visitor")) == 1


@pytest.mark.parametrize("command", ["promote", "delete"])
@pytest.mark.parametrize("ref", ["tabby", "tabby@"])
def test_a_model_alone_is_not_the_version_in_service(cattery, store, published, command, ref):
    """It used to promote what was in service already, and to say that it had."""
    card = published(b"old")
    store.aliases.promote("tabby", card.version)
    outcome = cattery("models", command, ref)
    assert outcome.code == 1
    assert outcome.err.startswith(f"Error: '{ref}' names no version. Use tabby@VERSION")


def test_promoting_what_is_in_service_says_so(cattery, store, published):
    card = published(b"old")
    store.aliases.promote("tabby", card.version)
    outcome = cattery("models", "promote", f"tabby@{card.version}")
    assert (outcome.code, "is already in service" in outcome.err) == (0, True)
    assert len(store.aliases.get("tabby").history) == 1
