"""The store: versions, aliases, jobs and datasets, in a folder or an object store."""

from models.store.store import Store

__all__ = ["Store"]
