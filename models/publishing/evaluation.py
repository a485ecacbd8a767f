"""Evaluates one job's generators, all on the same data, seeds and features."""

import logging
from dataclasses import replace
from pathlib import Path

import torch

from models.errors import BadEntry, CatteryError, LeaseLost, StoreError
from models.inference.checkpoints import Generator, load_generator
from models.metrics.comparison import Measurement
from models.metrics.features import Features
from models.metrics.measuring import OnProgress, face_tally, measure, reference_statistics
from models.metrics.protocols import PROTOCOLS, Protocol
from models.metrics.reference import Reference
from models.store import Store
from models.store.records import DatasetRecord, Json

log = logging.getLogger(__name__)


class Evaluator:
    """Evaluates generators against a dataset.

    Args:
        store: Holds the dataset and its reference statistics.
        dataset: What to compare with.
        size_px: Image resolution.
        cache: Local folder for packs of a remote store.
        device: Where to compute.
        fakes: Images generated to evaluate a version; the protocol's number if None.
        protocol: Of versions; snapshots use its features too.

    Attributes:
        on_progress: Called with images done and in total of each evaluation, if set.
    """

    def __init__(
        self,
        store: Store,
        dataset: DatasetRecord,
        size_px: int,
        cache: Path,
        device: torch.device,
        fakes: int | None = None,
        protocol: str = "cattery",
    ) -> None:
        self._store, self._dataset, self._size_px = store, dataset, size_px
        self._cache, self._device = cache, device
        final, quick = PROTOCOLS[protocol], PROTOCOLS["snapshot"]
        self._final = _with_fakes(final, fakes)
        # Asking for more fakes per version is not asking for slower snapshots.
        self._quick = _with_fakes(quick, fakes and min(fakes, quick.fakes))
        self._kept: tuple[Features, Reference] | None = None
        self.on_progress: OnProgress | None = None

    def prepare(self) -> None:
        """Load or compute the reference statistics.

        Raises:
            CatteryError: There are too few images, the stored statistics are damaged, or
                the device is out of memory.
        """
        try:
            self._ready()
        except torch.OutOfMemoryError as err:
            raise CatteryError(
                f"Out of memory on {self._device} while loading the feature network.",
                "Free some memory; a smaller batch does not help.",
            ) from err

    def snapshot(self, weights: bytes) -> tuple[Json, ...]:
        """Return the metrics that select snapshots; none where they cannot be computed.

        Raises:
            LeaseLost, StoreError: The job must stop; it is measured when it is resumed.
        """
        found = self._measured(weights, self._quick)
        return () if found is None else found.rows

    def version(self, weights: bytes) -> Measurement | None:
        """Evaluate a version fully, or return None where it cannot be evaluated.

        Raises:
            LeaseLost, StoreError: As `snapshot`.
        """
        return self._measured(weights, self._final)

    def incumbent(self, generator: Generator) -> Measurement:
        """Evaluate a generator as versions are; CatteryError where that is impossible."""
        return self._measure(generator, self._final)

    def _measure(self, generator: Generator, protocol: Protocol) -> Measurement:
        features, reference = self._ready()
        faces = face_tally(self._store, self._dataset, self._size_px, protocol, cache=self._cache)
        return measure(
            generator,
            reference,
            features,
            self._device,
            protocol,
            faces=faces,
            on_progress=self.on_progress,
        )

    def _measured(self, weights: bytes, protocol: Protocol) -> Measurement | None:
        try:
            return self._measure(load_generator(weights), protocol)
        except BadEntry as err:  # of the dataset: waiting does not mend it
            _log_unmeasured(err)
            return None
        except (LeaseLost, StoreError):  # of `on_progress`, say: the job is resumed, and measured
            raise
        # Hours of training must not fail for a metric; a version without one is not promoted.
        except (CatteryError, ArithmeticError, ValueError, torch.OutOfMemoryError) as err:
            _log_unmeasured(err)
            return None

    def _ready(self) -> tuple[Features, Reference]:
        if self._kept is None:
            features = Features(self._device, self._final.features)
            reference = reference_statistics(
                self._store,
                self._dataset,
                self._size_px,
                cache=self._cache,
                features=features,
                device=self._device,
                on_progress=self.on_progress,
            )
            self._kept = features, reference
        return self._kept


def _log_unmeasured(err: Exception) -> None:
    log.warning("Could not evaluate a generator: %s", err)


def _with_fakes(protocol: Protocol, fakes: int | None) -> Protocol:
    """Return a protocol with another number of fakes, which its results record."""
    if fakes is None:
        return protocol
    faces = min(protocol.faces, fakes)
    return replace(protocol, fakes=fakes, fakes_large=None, faces=faces)
