"""Requests made from the OpenAPI document itself, alone and in sequences, by schemathesis.

No answer may be a 500, of an undocumented status, type, header or shape, or accept what the
document forbids; `schemathesis.toml` has the exceptions with their reasons. For a longer run:

    schemathesis --config-file tests/integration/schemathesis.toml run URL/openapi.json
"""

import subprocess
import sys
from pathlib import Path

import pytest

from models.store import Store
from tests.app.ordering import add_dataset, ended_job

TOP = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")
BUDGET_S = 45
"""Time for all phases; what is left of it goes to sequences."""


@pytest.mark.slow
def test_the_service_keeps_to_its_openapi_document(services, stock, tmp_path):
    """The examples, edges of every parameter, random values, and calls that use answers."""
    stock(tmp_path / "data")
    store = Store.open(str(tmp_path / "data" / "store"))
    add_dataset(store, tmp_path)
    ended_job(store)
    service = services(tmp_path, "--no-worker")
    service.wait_for_line("Ready after")
    program = Path(sys.executable).with_name("schemathesis")
    options = ("--seed", "1", "--max-examples", "10", "--max-time", str(BUDGET_S), "--no-color")
    command = [str(program), "--config-file", str(CONFIG), "run", *options]
    ended = subprocess.run(
        [*command, f"{service.url}/openapi.json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,  # where it leaves its reports
        env={"PYTHONPATH": str(TOP)},  # for the hooks that the configuration names
        timeout=4 * BUDGET_S,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert "Stateful" in ended.stdout
