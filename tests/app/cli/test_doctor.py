"""The doctor finds what is wrong and says so by its exit code."""

from pathlib import Path

import pytest

import models.zoo
from app.cli.locks import claimed, listening_socket

ZOO = Path(models.zoo.__file__).parent
# A sparse checkout leaves the weights behind (docs/training-the-zoo.md).
NEEDS_THE_ZOO = pytest.mark.skipif(
    any(not (card.parent / "generator.safetensors").exists() for card in ZOO.glob("*/card.json")),
    reason="the zoo's weights are not checked out",
)


def _verdicts(out):
    rows = [line.split(maxsplit=1) for line in out.splitlines()[1:]]
    return {row[1].strip(): row[0] for row in rows}


@NEEDS_THE_ZOO
def test_a_healthy_machine_exits_with_0(cattery, monkeypatch):
    monkeypatch.setenv("CATTERY_PORT", "0")
    outcome = cattery("doctor")
    assert set(_verdicts(outcome.out).values()) == {"ok"}
    assert outcome.code == 0


def test_what_is_wrong_is_named_and_exits_with_1(cattery, monkeypatch, tmp_path):
    """A Redis that is away, a taken port, a store that is a file: three bad lines."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CATTERY_STORE", str(tmp_path / "file"))
    monkeypatch.setenv("CATTERY_REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    with listening_socket("127.0.0.1", 0) as taken:
        monkeypatch.setenv("CATTERY_PORT", str(taken.getsockname()[1]))
        outcome = cattery("doctor")
    bad = {row.split()[0] for row, verdict in _verdicts(outcome.out).items() if verdict == "BAD"}
    assert bad - {"zoo"} == {"store", "queue", "address"}  # a zoo needs the store too
    assert outcome.code == 1


def test_an_open_address_without_key_is_wrong(cattery, monkeypatch):
    monkeypatch.setenv("CATTERY_PORT", "0")
    monkeypatch.setenv("CATTERY_HOST", "0.0.0.0")  # noqa: S104 - never bound
    outcome = cattery("doctor")
    assert "CATTERY_API_KEY" in outcome.out
    assert outcome.code == 1


@NEEDS_THE_ZOO
def test_a_running_service_is_no_illness(cattery, data, monkeypatch):
    monkeypatch.setenv("CATTERY_PORT", "0")
    with claimed(data):
        outcome = cattery("doctor")
    assert "in use by a running Cattery" in outcome.out
    assert outcome.code == 0


@NEEDS_THE_ZOO
def test_damage_in_the_store_is_named_and_repaired(cattery, store, published, monkeypatch):
    monkeypatch.setenv("CATTERY_PORT", "0")
    assert cattery("doctor").code == 0
    store.tree.write("models/dcgan/aliases.json", b"garbage")
    card = published(b"no weights at all")
    outcome = cattery("doctor")
    assert outcome.code == 1
    lines = [line for line in outcome.out.splitlines() if line.startswith("BAD")]
    named = ("zoo", "models/dcgan/aliases.json", card.version)
    assert all(name in line for name, line in zip(named, lines, strict=True)), lines
    outcome = cattery("doctor", "--repair")
    assert outcome.code == 0
    assert [line.split()[1] for line in outcome.out.splitlines() if "repaired" in line] == [
        "models",
        "models",
    ]
    outcome = cattery("doctor")
    assert (outcome.code, outcome.out.count("all files are whole")) == (0, 3)
