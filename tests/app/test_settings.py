"""Tests of app.settings."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import AppSettings, is_loopback
from models.inference.registry import ENGINES
from worker.settings import WorkerSettings

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


@pytest.mark.parametrize("settings", [AppSettings, WorkerSettings])
def test_an_empty_setting_is_none(settings, monkeypatch):
    """As in an environment file: `CATTERY_THREADS=` has the meaning of no line at all."""
    usual = settings()
    for name in settings.model_fields:
        monkeypatch.setenv(f"CATTERY_{name.upper()}", "")
    assert settings() == usual


def test_a_home_is_found_where_no_shell_has_looked(monkeypatch):
    monkeypatch.setenv("HOME", "/home/cat")
    assert AppSettings(data="~/cats").data == Path("/home/cat/cats")
    assert AppSettings(store="~/cats").store_url == "/home/cat/cats"
    assert AppSettings(store="s3://cats/~").store_url == "s3://cats/~"


@pytest.mark.parametrize("host", ["[::1]", "::1", " [::1] "])
def test_an_address_may_stand_in_brackets(host):
    """As in a URL; sockets take it without."""
    assert AppSettings(host=host).host == "::1"
    assert AppSettings(host=host).is_local


@pytest.mark.parametrize(
    ("path", "root"), [("", ""), ("/", ""), ("/cattery", "/cattery"), ("/a/b.c/", "/a/b.c")]
)
def test_a_prefix_has_no_slash_at_its_end(path, root):
    assert AppSettings(root_path=path).root_path == root


@pytest.mark.parametrize("path", ["cattery", "//evil.example", "/a//b", "/a?b", "/..", "/a b"])
def test_a_prefix_is_a_path(path):
    with pytest.raises(ValidationError, match="root_path"):
        AppSettings(root_path=path)


@pytest.mark.parametrize("url", ["localhost:6379", "http://host", "redis://host:port", "redis"])
def test_a_redis_is_named_by_its_url(url):
    with pytest.raises(ValidationError, match="redis_url"):
        WorkerSettings(redis_url=url)


def test_the_key_may_be_in_a_file(tmp_path):
    """Only one of both, and a file that cannot be read or is empty is an error."""
    file = tmp_path / "key"
    file.write_text("sesame\n")
    assert AppSettings(api_key_file=file).key == "sesame"
    with pytest.raises(ValidationError, match="set one of them"):
        AppSettings(api_key_file=file, api_key="tell-nobody")
    file.write_text(" \n")
    for path in (file, tmp_path, tmp_path / "missing"):
        with pytest.raises(ValidationError, match="api_key_file"):
            AppSettings(api_key_file=path)


@pytest.mark.parametrize("proxies", ["*", "proxy.example", "10.0.0.0/33", "10.0.0.1/8"])
def test_only_addresses_are_trusted_proxies(proxies):
    with pytest.raises(ValidationError, match="trusted_proxies"):
        AppSettings(trusted_proxies=proxies)


@pytest.mark.parametrize("secret", ["short", "whsec_not base64 at all, is it?"])
def test_a_weak_webhook_secret_is_refused_and_not_shown(secret):
    with pytest.raises(ValidationError, match="webhook_secret"):
        AppSettings(webhook_secret=secret)
    assert AppSettings(webhook_secret="  ").webhook_secret is None  # noqa: S106 - blank
