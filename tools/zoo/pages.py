"""docs/zoo.md, generated from cards: samples, metrics and provenance of each generator."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.gan.recipes import RECIPES
from models.metrics.protocols import HEADLINE, HELD_OUT, SINGLE_FACE, headline
from models.store.records import Card, Json
from tools.zoo.published import PUBLISHED, Published

COLUMNS = (
    *("generator", "recipe", "px", "kimg", "KID", "KID, held out", "FD", "precision", "recall"),
    *("one face (real)", "published"),
)
OURS = "cattery"
NOTHING_PUBLISHED = Published("", "")

COLLAPSED, CURED = "lsgan-spots", "lsgan-cured"  # the two runs of the story


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """A generator on the page.

    Attributes:
        card: Its card.
        sheet: Address of its contact sheet, from the page.
        is_shipped: Whether it comes with the release.
    """

    card: Card
    sheet: str
    is_shipped: bool


def command_of(card: Card) -> str:
    """Return the command that trains a card's version; empty if its order is unknown."""
    order = card.order
    if not order:
        return ""
    parts = ["cattery train", order["recipe"], f"--dataset {order['dataset']}"]
    budget = order["budget"]
    unit = "kimg" if budget.get("kimg") is not None else "minutes"
    parts += [f"--{unit} {json.dumps(budget[unit]).removesuffix('.0')}"]
    parts += [f"--model {card.model}", f"--size {order['size_px']}", f"--seed {order['seed']}"]
    parts += [f"--set {name}={json.dumps(v)}" for name, v in sorted(order["overrides"].items())]
    return " ".join(parts)


def zoo_page(exhibits: Sequence[Exhibit]) -> Iterator[str]:
    """Yield the page's lines."""
    yield "# The zoo"
    yield ""
    yield "Generators that were trained on real cats, with their samples, metrics and provenance."
    yield "See also the [experiment log](zoo-log.md) and [how to train them](training-the-zoo.md)."
    story = {each.card.model: each for each in exhibits if each.card.model in (COLLAPSED, CURED)}
    exhibits = [each for each in exhibits if each.card.model not in story]
    yield from _comparison(exhibits)
    if len(story) == 2:
        yield from _story(story[COLLAPSED], story[CURED])
    for is_shipped, title in ((True, "Shipped"), (False, "Not shipped")):
        chosen = [each for each in exhibits if each.is_shipped is is_shipped]
        if chosen:
            yield from ("", f"## {title}")
            for exhibit in chosen:
                yield from _entry(exhibit)


def _comparison(exhibits: Sequence[Exhibit]) -> Iterator[str]:
    yield from ("", "## Comparison", "")
    yield "Lower is better for KID and FD, higher for precision and recall."
    yield "Our metrics use features of EfficientNet-Lite0 ([metrics](metrics.md)), published FIDs"
    yield "Inception features, other images and sample sizes; the two cannot be compared."
    yield "Our metrics favor `projected`, whose discriminator uses the same features."
    yield "No recipe uses those of the held-out column, which has a scale of its own."
    yield "One face: the share of samples, and of real images, in which a classifier cascade finds"
    yield "exactly one cat face; nothing ships that has less than nine tenths of the real share."
    yield "Generators of different sizes or datasets cannot be compared either."
    yield ""
    yield _row(COLUMNS)
    yield _row(["---"] * len(COLUMNS))
    for exhibit in exhibits:
        yield _row(_cells(exhibit.card))
    yield ""
    for protocol in dict.fromkeys(_published(each.card).protocol for each in exhibits):
        recipes = [
            each.card.recipe for each in exhibits if _published(each.card).protocol == protocol
        ]
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(recipes))
        if protocol:
            yield f"- Published for {names}: {protocol}."


def _story(collapsed: Exhibit, cured: Exhibit) -> Iterator[str]:
    """Yield the 2017 experiments' collapse beside its cure, two runs that differ in settings."""
    pair = (collapsed, cured)
    yield from ("", "## A collapse and its cure", "")
    yield "One LSGAN run of the 2017 experiments ended in contrast spots, because of its settings,"
    yield "as an author of LSGAN showed with good cats of his own."
    yield "Both happen here, at the same learning rates and on the same pictures:"
    yield "the first run was ended by the [collapse detector](collapse.md), the second one was not."
    yield ""
    yield _row(("", *(f"`{each.card.recipe}`" for each in pair)))
    yield _row(["---"] * 3)
    yield _row(("samples", *(f"![{each.card.model}]({each.sheet})" for each in pair)))
    names = sorted({name for each in pair for name in each.card.settings})
    settings = [[each.card.settings.get(name) for each in pair] for name in names]
    for name, values in zip(names, settings, strict=True):
        if values[0] != values[1]:
            yield _row((f"`{name}`", *map(str, values)))
    labels = ("0, 1 and 1", "-1, 1 and 0")
    yield _row(("targets for fake and real images, and of the generator", *labels))
    yield _row(("training length", *(f"{each.card.kimg:g} kimg" for each in pair)))
    yield _row(("KID", *(_with_interval(headline(each.card.metrics)) for each in pair)))
    reason = collapsed.card.promotion.reason if collapsed.card.promotion else ""
    yield _row(("collapse detector", reason, "none of its rules fired"))
    for each in pair:
        yield from ("", "```sh", command_of(each.card), "```")


def _cells(card: Card) -> Iterator[str]:
    yield f"[`{card.model}`](#{_anchor(card)})"
    yield from (f"`{card.recipe}`", str(card.size_px), f"{card.kimg:g}")
    kid = headline(card.metrics)
    yield _with_interval(kid)
    yield _with_interval(_metric(card, HEADLINE, HELD_OUT))
    for name in ("frechet_distance", "precision", "recall"):
        yield "" if (row := _metric(card, name)) is None else f"{row['value']:.3g}"
    faces = _metric(card, SINGLE_FACE)
    yield "" if faces is None else f"{faces['value']:.2f} ({faces['details']['expected']:.2f})"
    yield _published(card).figure


def _entry(exhibit: Exhibit) -> Iterator[str]:
    card = exhibit.card
    yield from ("", f"### {_heading(card)}", "")
    title = RECIPES[card.recipe].title if card.recipe in RECIPES else card.recipe
    yield f"{title}."
    yield from ("", f"![Cats of {card.model}, seeds from 0]({exhibit.sheet})", "")
    yield _row(("property", "value"))
    yield _row(("---", "---"))
    for name, value in _facts(card):
        yield _row((name, value))
    if command := command_of(card):
        yield from ("", "```sh", command, "```")


def _facts(card: Card) -> Iterator[tuple[str, str]]:
    yield "version", f"`{card.version}`" + (f", packed from `{card.parent}`" if card.parent else "")
    data = card.dataset
    yield "dataset", f"`{data.get('name')}`, {data.get('pictures')} images at {card.size_px} px"
    yield "dataset license", str(data.get("license") or "unknown")
    yield "hyperparameters", ", ".join(f"{name} {value}" for name, value in card.settings.items())
    yield "training length", f"{card.kimg:g} kimg, seed {card.seed}"
    if card.training_s is not None:
        yield "training time", f"{card.training_s:.0f} s on {card.hardware}"
    yield "software", ", ".join(f"{name} {value}" for name, value in card.software.items())
    for row in card.metrics:
        yield _metric_name(row), _measured(row)
    if card.picks:
        yield "picks", ", ".join(map(str, card.picks))
    if card.note:
        yield "note", card.note


def _metric_name(row: Json) -> str:
    return str(row["name"]).replace("_", " ")


def _measured(row: Json) -> str:
    """Return a result with a summary of its protocol."""
    protocol = row.get("protocol", {})
    value = f"{row['value']:.4g}" + (f" ({_interval(row)})" if "interval" in row else "")
    details = row.get("details", {})
    counts = f"{protocol.get('fakes')} fake, {protocol.get('reals')} real images"
    if row["name"] == SINGLE_FACE:
        value += f" (of real images: {details['expected']:.3g})"
        counts = f"{details['images']} fake, as many real images"
    elif "expected" in details:
        value += f" (expected without memorization: {details['expected']:.3g})"
    return f"{value}; `{protocol.get('name')}`: {counts}"


def _metric(card: Card, name: str, protocol: str = OURS) -> Json | None:
    rows = (row for row in card.metrics if row.get("name") == name)
    return next((row for row in rows if row.get("protocol", {}).get("name") == protocol), None)


def _with_interval(row: Json | None) -> str:
    return "" if row is None else f"{row['value']:.4f} ({_interval(row)})"


def _interval(row: Json) -> str:
    low, high = row["interval"]
    return f"{low:.4f} to {high:.4f}"


def _published(card: Card) -> Published:
    return PUBLISHED.get(card.recipe, NOTHING_PUBLISHED)


def _heading(card: Card) -> str:
    return f"{card.model} at {card.size_px} px"


def _anchor(card: Card) -> str:
    return _heading(card).replace(" ", "-")


def _row(cells: Sequence[str] | Iterator[str]) -> str:
    return "| " + " | ".join(cells) + " |"
