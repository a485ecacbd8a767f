"""A job's losses and metrics as a table, for plots and spreadsheets (RFC 4180)."""

import csv
from collections.abc import Iterable
from io import StringIO
from math import isfinite
from typing import Any

from models.store.records import Event

# A public format: columns are only ever added, at the end. The losses are those of every recipe.
COLUMNS = (
    "seq",
    "at",
    "event",
    "step",
    "kimg",
    "minutes",
    "images_per_s",
    "loss_discriminator",
    "loss_generator",
    "penalty",
    "score_real",
    "score_fake",
    "kid",
    "kid_low",
    "kid_high",
)

_LOSSES = {
    "loss_discriminator": "discriminator",
    "loss_generator": "generator",
    "penalty": "penalty",
    "score_real": "real",
    "score_fake": "fake",
}


def curves(events: Iterable[Event]) -> str:
    """Return the logged points of a job's history, a row each, under a header.

    A job that was interrupted repeats what it had trained since its last checkpoint: kimg may
    fall from one row to the next, `seq` never does.
    """
    out = StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for event in events:
        if event.type in ("progress", "snapshot"):
            writer.writerow(_row(event))
    return out.getvalue()


def _row(event: Event) -> dict[str, Any]:
    data = event.data
    row = {"seq": event.id, "at": event.at, "event": event.type}
    row |= {name: _cell(data.get(name)) for name in ("step", "kimg", "images_per_s")}
    seconds = data.get("training_s")
    row["minutes"] = "" if seconds is None else round(seconds / 60, 4)
    losses = data.get("losses") or {}
    row |= {column: _cell(losses.get(name)) for column, name in _LOSSES.items()}
    metric = data.get("metric") or {}
    if metric.get("name") == "kid":
        low, high = metric.get("interval") or ("", "")
        row |= {"kid": _cell(metric.get("value")), "kid_low": _cell(low), "kid_high": _cell(high)}
    return row


def _cell(value: Any) -> Any:
    """Return a value as it is written; what is not there or not finite is empty."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return ""
    return value
