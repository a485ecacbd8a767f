"""Publishes the best snapshot of a job as a version, and promotes it if it is better."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from models.directions.keeping import fit_if_cheap
from models.images.formats import card_seeds, contact_sheet, encode_png
from models.inference.checkpoints import load_generator
from models.inference.engine import Engine
from models.metrics.comparison import Measurement
from models.metrics.protocols import merged
from models.publishing.card import Origin, make_card
from models.publishing.evaluation import Evaluator
from models.publishing.promotion import judge, refused
from models.store import Store
from models.store.journal import Journal
from models.store.records import (
    DatasetRecord,
    JobStatus,
    Json,
    Promote,
    Promotion,
    TrainingOrder,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Publishes one job's version.

    Attributes:
        store: Where to.
        journal: The job's.
        order: The job's.
        dataset: What it was trained on.
        device: Where images are rendered.
        evaluator: Evaluates the version in service.
        announce: Called with the model whose alias moved.
    """

    store: Store
    journal: Journal
    order: TrainingOrder
    dataset: DatasetRecord
    device: torch.device
    evaluator: Evaluator
    announce: Callable[[str], object]

    def publish(
        self,
        origin: Origin,
        weights: bytes,
        best: Json,
        *,
        found: Measurement | None,
        parent: str | None,
        wish: Promote,
        status: JobStatus,
        why: str = "",
    ) -> None:
        """Publish a snapshot, then decide on its promotion.

        Args:
            origin: How it was trained, for the card.
            weights: The snapshot's file.
            best: The snapshot's kimg, seconds and results.
            found: Its results, if it was evaluated.
            parent: Version that the run resumed from.
            wish: When to promote the version.
            status: How the job ends after this.
            why: Why it must not be promoted; empty to decide.
        """
        metrics = found.rows if found else selecting_rows(best)
        card = make_card(
            origin,
            self.order,
            self.journal.record,
            self.dataset,
            kimg=best["kimg"],
            training_s=best["training_s"],
            metrics=metrics,
            parent=parent,
        )
        seeds = card_seeds(self.order.size_px)
        engine = Engine(load_generator(weights), self.device)
        sheet = encode_png(contact_sheet(engine.render(seeds)))
        published = self.store.versions.publish(self.order.model, weights, card, sheet)
        version = published.version
        if published.metrics != metrics:  # equal weights were published before, with other results
            both = merged(published.metrics, metrics)
            self.store.versions.update_card(self.order.model, version, metrics=both)
        fit_if_cheap(self.store, self.order.model, version, weights, self.device)
        promotion = refused(why)
        if not why:
            measure, model = self.evaluator.incumbent, self.order.model
            promotion = judge(self.store, model, found, wish, measure, version=version)
        self._decide(version, promotion, status)

    def promote(self, version: str, reason: str, *, since: str = "") -> None:
        """Put a version into service, unless that happened after a moment before.

        Args:
            version: Its id.
            reason: For the history.
            since: That moment, if another process may have promoted it before it died.
        """
        moves = self.store.aliases.get(self.order.model).history
        if not (since and any(move.version == version and move.at >= since for move in moves)):
            self.store.aliases.promote(self.order.model, version, reason=reason)
        self.announce(self.order.model)

    def _decide(self, version: str, promotion: Promotion, status: JobStatus) -> None:
        self.journal.check_lease()  # evaluating took long: the job may be another's by now
        self.store.versions.update_card(self.order.model, version, promotion=promotion)
        # Before the alias: who has lost the job fails here and moves nothing, and when this
        # process dies in between the next one moves it. Whoever sees it move can read why.
        self.journal.published(version, promotion, status)
        if promotion.is_promoted:
            self.promote(version, promotion.reason)


def selecting_rows(best: Json) -> tuple[Json, ...]:
    """Return the results by which a snapshot was selected."""
    return tuple(row for row in (best["metric"], best.get("faces")) if row is not None)
