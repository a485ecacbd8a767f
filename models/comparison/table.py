"""A comparison as a table: its columns, remarks and caveats."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from models.comparison.records import Comparison, Row
from models.gan.recipes import recipe
from models.store.records import JobStatus, Json

ENOUGH_KIMG = 100.0  # with less, recipes cannot be ranked: they have barely started


def duration(seconds: float) -> str:
    """Return a duration in words, e.g. "40 s", "12 min" or "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def metric(row: Row, name: str) -> Json | None:
    """Return a result of a recipe's version, by the default protocol if there are several."""
    found = [each for each in row.metrics if each["name"] == name]
    ours = (each for each in found if each["protocol"].get("name") == "cattery")
    return next(ours, next(iter(found), None))


def protocol(comparison: Comparison) -> Json | None:
    """Return the protocol of the table's versions, or None if none was evaluated."""
    # Finished jobs first: one that ended early has the quicker protocol of its snapshot.
    ordered = sorted(comparison.rows, key=lambda row: row.status is not JobStatus.FINISHED)
    return next((found["protocol"] for row in ordered if (found := metric(row, "kid"))), None)


def _figure(name: str, form: str) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        found = metric(row, name)
        return "" if found is None else format(found["value"], form)

    return cell


def _kid(row: Row) -> str:
    found = metric(row, "kid")
    if found is None:
        return ""
    low, high = found.get("interval", (None, None))
    interval = "" if low is None else f" ({low:.3g} to {high:.3g})"
    return f"{found['value']:.3g}{interval}"


def _status(row: Row) -> str:
    if row.status.has_ended:
        return row.status.value
    return "interrupted" if row.kimg else "to do"


# The one table of columns, which Markdown, page and command line read.
COLUMNS: Mapping[str, Callable[[Row], str]] = {
    "recipe": lambda row: row.recipe,
    "status": _status,
    "FD": _figure("frechet_distance", ".1f"),
    "KID (95 %)": _kid,
    "precision": _figure("precision", ".3f"),
    "recall": _figure("recall", ".3f"),
    "images/s": lambda row: f"{row.images_per_s:.1f}" if row.images_per_s else "",
    "training, s": lambda row: f"{row.training_s:.1f}" if row.training_s else "",
    "in all, s": lambda row: f"{row.wall_s:.1f}" if row.wall_s else "",
    "peak memory, MB": lambda row: f"{row.peak_bytes / 1e6:.0f}" if row.peak_bytes else "",
    "kimg": lambda row: f"{row.kimg:g}",
    "steps": lambda row: str(row.steps),
    "px": lambda row: str(row.size_px),
    "version": lambda row: f"{row.model}@{row.version}" if row.version else "",
}


MEASURED = ("FD", "KID (95 %)", "precision", "recall")
OTHERWISE = " *"  # marks a result of another protocol than the table's


def cells(comparison: Comparison) -> list[dict[str, str]]:
    """Return the table's rows, in the order of training: texts by column, empty for nothing."""
    of = protocol(comparison)
    rows = []
    for row in comparison.rows:
        shown = {name: show(row) for name, show in COLUMNS.items()}
        if _is_measured_otherwise(row, of):
            shown |= {name: shown[name] + OTHERWISE for name in MEASURED if shown[name]}
        rows.append(shown)
    return rows


def _is_measured_otherwise(row: Row, of: Json | None) -> bool:
    found = metric(row, "kid")
    return found is not None and found["protocol"] != of


def remarks(row: Row, of: Json | None) -> Iterator[str]:
    """Yield remarks on a recipe's row, in sentences, given the table's protocol."""
    if row.reason and row.status.has_ended:
        yield f"{_status(row).capitalize()}: {row.reason}"
    if row.lacks:
        yield f"It has no {', '.join(row.lacks)} and was trained with its defaults."
    if row.version and row.best_kimg is not None and row.best_kimg != row.kimg:
        yield f"Its best snapshot, which was evaluated, is that at {row.best_kimg:g} kimg."
    found = metric(row, "kid")
    if found is None:
        yield from ["It could not be evaluated."] * (row.version is not None)
    elif _is_measured_otherwise(row, of):
        how = facts_of(found["protocol"])
        yield f"Results with * are not comparable with other rows; their protocol: {how}."
    for note in (row.note, recipe(row.recipe).note):
        if note:
            yield note if note.endswith(".") else f"{note}."


def facts(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Yield what all results depend on, by name."""
    asked, of = comparison.asked, protocol(comparison)
    yield "budget", f"{asked.kimg:g} kimg per recipe, {asked.size_px} px, seed {asked.seed}"
    if asked.overrides:
        yield "overrides", facts_of(asked.overrides)
    yield "dataset", f"{asked.dataset}, fingerprint {asked.fingerprint}"
    if of is not None:
        yield "protocol", facts_of(of)
    for name, values in (
        ("hardware", [row.hardware for row in comparison.rows]),
        ("software", [facts_of(row.software) for row in comparison.rows]),
        ("peak memory", [row.peak_of for row in comparison.rows]),
    ):
        if different := dict.fromkeys(filter(None, values)):
            yield name, "; or ".join(different)
    yield "last changed", comparison.changed_at


def caveats(comparison: Comparison) -> Iterator[str]:
    """Yield caveats of the whole table, in sentences."""
    asked = comparison.asked
    if asked.kimg < ENOUGH_KIMG:
        yield (
            f"{asked.kimg:g} kimg per recipe is too little to rank them; "
            "the table shows that each recipe trains and what it costs."
        )
    if not comparison.is_complete:
        ended = sum(row.status.has_ended for row in comparison.rows)
        of = len(comparison.rows)
        yield f"{ended} of {of} recipes have ended; run the same command to resume."
    if len({row.hardware for row in comparison.rows if row.hardware}) > 1:
        yield "Not all ran on the same hardware, so their speeds cannot be compared."


def facts_of(mapping: Mapping[str, object]) -> str:
    """Return a mapping in words, e.g. "width 8, batch 8"."""
    return ", ".join(f"{name} {value}" for name, value in mapping.items())


def markdown(comparison: Comparison) -> str:
    """Return the comparison as a Markdown page."""
    of = protocol(comparison)
    lines = ["# Recipes compared", "", *caveats(comparison), ""]
    lines += [_line(COLUMNS), _line("---" for _ in COLUMNS)]
    lines += [*(_line(row.values()) for row in cells(comparison)), ""]
    for row in comparison.rows:
        lines += [f"- `{row.recipe}`: {remark}" for remark in remarks(row, of)]
    lines += ["", *(f"- {name}: {value}" for name, value in facts(comparison))]
    return "\n".join(lines) + "\n"


def _line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"
