"""The shared settings and the store, which most commands open first."""

from typing import TYPE_CHECKING

from app.cli.console import print_error
from app.cli.settings import read_settings

if TYPE_CHECKING:
    from models.store import Store
    from worker.protocol import SharedSettings


def shared_settings() -> "SharedSettings":
    """Read the settings that front end and worker share."""
    from worker.protocol import SharedSettings

    return read_settings(SharedSettings)


def open_store() -> "Store":
    """Open the store that the settings name.

    Raises:
        StoreError: It cannot be read and written.
    """
    from models.store import Store

    return Store.open(shared_settings().store_url)


def open_store_with_zoo() -> "Store":
    """Open the store and register the generators of this release in it.

    Raises:
        StoreError: It cannot be read and written.
    """
    from models.zoo.install import register_zoo

    store = open_store()
    for problem in register_zoo(store):
        print_error(problem)  # not raised: all other versions can be used
    return store
