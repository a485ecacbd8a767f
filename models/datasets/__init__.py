"""Data sets: pictures of strangers in, packed arrays out."""

from models.datasets.importing import ImportStopped, import_dataset

__all__ = ["ImportStopped", "import_dataset"]
