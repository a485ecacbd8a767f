"""Tests of app.settings."""

import pytest
from pydantic import ValidationError

from app.settings import AppSettings, is_loopback
from models.inference.registry import ENGINES

LOOPBACK = ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST.", "::1", "[::1]", "::ffff:127.0.0.1"]
NETWORK = ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example", "::ffff:8.8.8.8"]  # noqa: S104


@pytest.mark.parametrize("host", [*LOOPBACK, *NETWORK])
def test_whatever_is_not_certainly_loopback_is_the_network(host):
    assert is_loopback(host) == (host in LOOPBACK)


@pytest.mark.parametrize("key", ["", "   "])
def test_a_blank_key_is_no_key(key):
    """A blank key would let everyone in, so it counts as none."""
    assert AppSettings(api_key=key).api_key is None


def test_a_key_is_not_shown():
    assert "sesame" not in repr(AppSettings(api_key="sesame"))


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("CATTERY_MAX_BATCH", "8")
    assert AppSettings().max_batch == 8


def test_a_deadline_must_be_finite():
    with pytest.raises(ValidationError, match="deadline_s"):
        AppSettings(deadline_s=float("inf"))


def test_an_engine_is_one_of_the_table():
    assert [AppSettings(engine=name).engine for name in ("auto", *ENGINES)] == ["auto", *ENGINES]
    with pytest.raises(ValidationError, match=r"onnxruntime.*torch-fp32"):
        AppSettings(engine="onnxruntime")


def test_every_field_is_described():
    """Documentation is made of the fields, so each one says what it is."""
    assert [n for n, f in AppSettings.model_fields.items() if not f.description] == []
