"""The store: versions, aliases, jobs and data sets, in a folder or an object store."""

from models.store.store import Store

__all__ = ["Store"]
