"""The store: all persistent data, behind one URL."""

from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from models.errors import StoreError
from models.store.aliases import AliasTable
from models.store.datasets import Datasets
from models.store.directions import Directions
from models.store.jobs import Jobs
from models.store.keys import Keys
from models.store.local_tree import LocalTree
from models.store.object_tree import ObjectTree
from models.store.tree import Tree
from models.store.versions import Versions
from models.store.votes import Votes
from models.store.webhooks import Webhooks


class Store:
    """Versions, aliases, jobs and datasets; thread-safe.

    Args:
        url: A local folder, or a URL that fsspec knows, such as s3://bucket/prefix.

    Raises:
        StoreError: The URL's kind is unknown, or its backend is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.tree = _tree(url)
        self.aliases = AliasTable(self.tree)
        self.jobs = Jobs(self.tree)
        self.versions = Versions(self.tree, self.aliases, self.jobs)
        self.directions = Directions(self.tree, self.versions)
        self.votes = Votes(self.tree)
        self.keys = Keys(self.tree)
        self.webhooks = Webhooks(self.tree)
        self.datasets = Datasets(self.tree, self.jobs)

    @classmethod
    def open(cls, url: str) -> "Store":
        """Return the store after a test write and read; StoreError, in one line, if they fail."""
        store = cls(url)
        store.tree.check()
        return store


def _tree(url: str) -> Tree:
    if not url:
        raise StoreError("The store's URL is empty.", "Use a folder, or s3://bucket/prefix.")
    try:
        # Other processes write too: a cached listing would be stale.
        fs, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as err:
        protocol = url.partition(":")[0]
        raise StoreError(
            f"The store {url} needs a package that is not installed ({err}).",
            "Install it: `pip install s3fs`." if protocol == "s3" else "Install it.",
        ) from err
    except Exception as err:  # each fsspec backend has an error tree of its own
        raise StoreError(
            f"The store {url} cannot be used: {err}.", "Use a folder, or s3://bucket/prefix."
        ) from err
    if isinstance(fs, LocalFileSystem):
        return LocalTree(Path(path))
    return ObjectTree(fs, path, url)
