"""What most commands open first: the shared settings and the store they name."""

from typing import TYPE_CHECKING

from app.cli.console import complain

if TYPE_CHECKING:
    from models.store import Store
    from worker.protocol import SharedSettings


def shared_settings() -> "SharedSettings":
    """Read the settings that front end and worker share."""
    from worker.protocol import SharedSettings

    return SharedSettings()


def open_store() -> "Store":
    """Open the store that the settings name.

    Raises:
        StoreError: It cannot be read and written.
    """
    from models.store import Store

    return Store.open(shared_settings().store_url)


def open_store_with_zoo() -> "Store":
    """Open the store and register the generators that came with this release.

    Raises:
        StoreError: It cannot be read and written.
    """
    from models.zoo.install import register_zoo

    store = open_store()
    for problem in register_zoo(store):
        complain(problem)
    return store
