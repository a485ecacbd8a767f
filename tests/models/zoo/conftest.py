"""Its claims hold in a folder and in an object store, as those of the store itself."""

from tests.models.store.conftest import card, store

__all__ = ["card", "store"]
