"""Views of the store's records for clients: the same fields and links."""

from dataclasses import fields, replace
from typing import Any
from urllib.parse import quote

from app.api.schemas import (
    DatasetLinks,
    DatasetView,
    JobLinks,
    JobView,
    ModelSummary,
    ModelView,
    VersionLinks,
    VersionView,
    VersionVotes,
    VotesAgainst,
)
from models.gan.recipes import RECIPES
from models.networks import NETWORKS
from models.store import Store
from models.store.records import Aliases, Card, DatasetRecord, JobKind, JobRecord
from models.store.votes import total


def job_view(record: JobRecord, root: str) -> JobView:
    """Return a job with its links."""
    # The path of an upload on the server's disk is nothing for clients.
    if record.kind is JobKind.IMPORT:
        shown = dict(record.order)
        shown["source"] = shown.pop("origin", "")
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
    rejected = {reason: f"{here}/rejected/{quote(reason)}.png" for reason in record.pictured}
    links = DatasetLinks(self=here, preview=f"{here}/preview.png", rejected=rejected)
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
    return VersionView(
        **_members(card), alias=roles.get(card.version), truncates=_truncates(card), links=links
    )


def _truncates(card: Card) -> bool | None:
    row = RECIPES.get(card.recipe)
    return None if row is None else NETWORKS[row.network].truncates


def model_summary(store: Store, name: str, loaded: str | None, root: str) -> ModelSummary | None:
    """Return a model in brief, or None if its last version has just been deleted.

    The arguments are those of `model_view`.
    """
    cards, aliases = store.versions.list(name), store.aliases.listed(name)
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
    """Return the permalinks of a version's hand-picked cats."""
    return [f"{root}/cats/{card.model}@{card.version}/{seed}.png" for seed in card.picks]


def model_view(store: Store, name: str, loaded: str | None, root: str) -> ModelView:
    """Return one model with all its versions.

    Args:
        store: The store.
        name: Name of the model.
        loaded: Version in service, if it is loaded in this process.
        root: Path that the app is mounted at.

    Raises:
        NotFound: There is no such model.
    """
    cards, aliases = store.versions.list(name), store.aliases.listed(name)
    if not cards:
        store.versions.resolve(name)  # raises NotFound with the known models
    return ModelView(
        name=name,
        serving=aliases.serving,
        previous=aliases.previous,
        loaded=loaded,
        history=list(aliases.history),
        versions=[version_view(card, aliases, root) for card in cards],
        votes=_votes(store, name, cards),
    )


def _votes(store: Store, model: str, cards: list[Card]) -> list[VersionVotes]:
    tallies = store.votes.tallies(model)
    found = [
        VersionVotes(
            version=card.version,
            total=total(tallies[card.version]),
            against=[
                VotesAgainst(model=other[0], version=other[1], votes=tally)
                for other, tally in sorted(tallies[card.version].items())
            ],
        )
        for card in cards
        if card.version in tallies
    ]
    return sorted(found, key=lambda votes: votes.total.share or 0.0, reverse=True)


def _members(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}
