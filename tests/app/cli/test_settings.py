"""Tests of app.cli.settings, and what becomes of settings that are odd."""

import pytest

from app.cli.settings import OTHERS, check_names
from models.errors import CatteryError


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CATTERY_PROT", "Did you mean CATTERY_PORT?"),
        ("CATTERY_APIKEY", "Did you mean CATTERY_API_KEY?"),
        ("CATTERY_THREAD", "Did you mean CATTERY_THREADS?"),
        ("CATTERY_XYZZY", "docs/settings.md"),
    ],
)
def test_a_misspelled_setting_is_told_with_the_right_one(name, meant):
    with pytest.raises(CatteryError, match=f"There is no setting {name}") as caught:
        check_names({"PATH": "", name: "1"})
    assert meant in str(caught.value)


def test_settings_of_both_processes_and_of_compose_may_share_an_environment():
    check_names(dict.fromkeys(["CATTERY_HOST", "CATTERY_NICE", "cattery_port", *OTHERS], ""))


@pytest.mark.parametrize("command", [["models", "list"], ["worker"], ["serve"], ["doctor"]])
def test_every_command_refuses_it_in_one_line(cattery, monkeypatch, command):
    monkeypatch.setenv("CATTERY_PROT", "8000")
    outcome = cattery(*command)
    assert outcome.code == 1
    told = "Error: There is no setting CATTERY_PROT. Did you mean CATTERY_PORT?\n"
    assert outcome.err == told


@pytest.mark.parametrize("command", ["serve", "worker"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://:tell-nobody@host:port"),
        ("DATA", "~nobody-here/data"),
        ("DATA", "d\udcfcr"),
        ("STORE", "cats-\udcff"),
        ("JOB_TIMEOUT_S", "a week"),
    ],
)
def test_a_value_that_cannot_be_is_one_line_with_its_name(
    cattery, monkeypatch, command, name, value
):
    monkeypatch.setenv(f"CATTERY_{name}", value)
    outcome = cattery(command)
    assert outcome.code == 1
    assert outcome.err.startswith(f"Error: CATTERY_{name} is ")
    assert outcome.err.count("\n") == 1
    assert "tell-nobody" not in outcome.err


def test_a_device_that_is_not_there_is_one_line_with_its_name(cattery, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("CATTERY_DEVICE", "cuda")
    monkeypatch.setenv("CATTERY_REDIS_URL", "redis://127.0.0.1:1")
    outcome = cattery("worker")
    assert outcome.code == 1
    told = "Error: CATTERY_DEVICE is 'cuda'. No CUDA GPU found. Use auto or cpu.\n"
    assert outcome.err == told
