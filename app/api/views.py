"""From the store's records to what clients see: the same, with links."""

from dataclasses import fields, replace
from typing import Any

from app.api.schemas import (
    DatasetLinks,
    DatasetView,
    JobLinks,
    JobView,
    ModelSummary,
    ModelView,
    VersionLinks,
    VersionView,
)
from models.store import Store
from models.store.records import Aliases, Card, DatasetRecord, JobKind, JobRecord


def job_view(record: JobRecord, root: str) -> JobView:
    """Return a job with its links; where an upload lies on our disk stays ours."""
    if record.kind is JobKind.IMPORT:
        shown = {name: value for name, value in record.order.items() if name != "source"}
        record = replace(record, order=shown)
    here = f"{root}/jobs/{record.id}"
    model = record.order.get("model")
    links = JobLinks(
        self=here,
        events=f"{here}/events",
        cancel=f"{here}/cancel",
        samples=[f"{here}/samples/{label}.png" for label in record.samples],
        version=f"{root}/models/{model}/versions/{record.version}" if record.version else None,
    )
    return JobView(**_members(record), links=links)


def dataset_view(record: DatasetRecord, root: str) -> DatasetView:
    """Return a dataset with its links."""
    here = f"{root}/datasets/{record.name}"
    links = DatasetLinks(self=here, preview=f"{here}/preview.png")
    return DatasetView(**_members(record), links=links)


def version_view(card: Card, aliases: Aliases, root: str) -> VersionView:
    """Return a version's card with its role and links."""
    here = f"{root}/models/{card.model}/versions/{card.version}"
    links = VersionLinks(
        self=here,
        samples=f"{here}/samples.png",
        weights=f"{here}/generator.safetensors",
        cats=f"{root}/cats?model={card.model}@{card.version}",
    )
    roles = {aliases.previous: "previous", aliases.serving: "serving"}
    return VersionView(**_members(card), alias=roles.get(card.version), links=links)


def model_summary(store: Store, name: str, loaded: str | None, root: str) -> ModelSummary | None:
    """Return one model in short, or None when its last version went a moment ago.

    Arguments are those of `model_view`.
    """
    cards, aliases = store.versions.list(name), store.aliases.get(name)
    if not cards:
        return None
    shown = next((card for card in cards if card.version == aliases.serving), cards[0])
    return ModelSummary(
        name=name,
        size_px=cards[0].size_px,
        serving=aliases.serving,
        previous=aliases.previous,
        loaded=loaded,
        versions=len(cards),
        license=str(shown.dataset.get("license", "")),
        picks=picks_of(shown, root),
        links={"self": f"{root}/models/{name}", "cats": f"{root}/cats?model={name}"},
    )


def picks_of(card: Card, root: str) -> list[str]:
    """Return the permalinks of a version's cats worth showing."""
    return [f"{root}/cats/{card.model}@{card.version}/{seed}.png" for seed in card.picks]


def model_view(store: Store, name: str, loaded: str | None, root: str) -> ModelView:
    """Return one model with all its versions.

    Args:
        store: Where it is.
        name: The model.
        loaded: Version in service that is on this process's device, or None.
        root: Path that the app is mounted at.

    Raises:
        NotFound: There is no such model.
    """
    cards, aliases = store.versions.list(name), store.aliases.get(name)
    if not cards:
        store.versions.resolve(name)  # says which models there are
    return ModelView(
        name=name,
        serving=aliases.serving,
        previous=aliases.previous,
        loaded=loaded,
        history=list(aliases.history),
        versions=[version_view(card, aliases, root) for card in cards],
    )


def _members(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}
