"""What the fields of a record may hold: the same for a file of the store and one from a client.

Types are checked by `models.store.serialization`; here are the ranges and forms that the rest
relies on, in one table.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.store.names import NAME_RULE, is_job, is_label, is_name, is_version
from models.store.records import (
    Aliases,
    AliasMove,
    Card,
    DatasetRecord,
    JobRecord,
    Json,
    KeyRecord,
    WebhookRecord,
)

MOST_SIZE_PX = 1024
MOST_Z_DIM = 4096
MOST_SEED = (1 << 53) - 1  # exact in any JSON reader

VERSION = "12 hexadecimal digits"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one field of a record may hold.

    Attributes:
        field: Its name.
        holds: Whether a value of the field's type is allowed.
        allowed: What is, in words.
    """

    field: str
    holds: Callable[[Any], bool]
    allowed: str


def check(record: object) -> None:
    """Check the fields of a record; ValueError names the first that is not allowed."""
    for rule in RULES.get(type(record), ()):
        value = getattr(record, rule.field)
        if not rule.holds(value):
            raise ValueError(f"{rule.field}: {value!r:.60} is not {rule.allowed}")


def _is_empty_or(holds: Callable[[str], bool]) -> Callable[[str | None], bool]:
    return lambda value: not value or holds(value)


def _is_hexadecimal(value: str, digits: int) -> bool:
    return len(value) == digits and set(value) <= set("0123456789abcdef")


def _is_sum(value: str) -> bool:
    return _is_hexadecimal(value, 64)


def _is_time(value: str) -> bool:
    """Whether this is a time with its zone, as ISO 8601 has it."""
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_finite(value: Any) -> bool:
    """Whether all numbers in a JSON value are finite."""
    if isinstance(value, dict | list | tuple):
        return all(map(_is_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_metrics(rows: tuple[Json, ...]) -> bool:
    return all(map(_is_metric, rows)) and _is_finite(rows)


def _is_metric(row: Json) -> bool:
    """Whether a result has a name, a value, and an interval or none."""
    value, interval = row.get("value"), row.get("interval")
    return (
        isinstance(row.get("name"), str)
        and (value is None or _is_number(value))
        and (interval is None or _is_interval(interval))
        and isinstance(row.get("protocol", {}), dict)
    )


def _is_interval(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))


def _are_counts(counts: Mapping[str, int]) -> bool:
    """Whether these are numbers of images by resolution."""
    return all(
        size.isascii() and size.isdigit() and len(size) <= 4 and count >= 0
        for size, count in counts.items()
    )


def _are_seeds(seeds: tuple[int, ...]) -> bool:
    return all(0 <= seed <= MOST_SEED for seed in seeds)


def _are_moves(moves: tuple[AliasMove, ...]) -> bool:
    return all(is_version(move.version) for move in moves)


_PROVENANCE = ("settings", "dataset", "order", "promotion", "ema", "training_s")

RULES: Mapping[type, tuple[Rule, ...]] = {
    Card: (
        # Weights that come without a card get one that the store completes.
        Rule("model", _is_empty_or(is_name), NAME_RULE),
        Rule("version", _is_empty_or(is_version), VERSION),
        Rule("sha256", _is_empty_or(_is_sum), "64 hexadecimal digits"),
        Rule("size_px", lambda n: 1 <= n <= MOST_SIZE_PX, f"1 to {MOST_SIZE_PX}"),
        Rule("z_dim", lambda n: 1 <= n <= MOST_Z_DIM, f"1 to {MOST_Z_DIM}"),
        Rule("kimg", lambda n: math.isfinite(n) and n >= 0, "0 or more"),
        Rule("seed", lambda n: 0 <= n <= MOST_SEED, f"0 to {MOST_SEED}"),
        Rule("picks", _are_seeds, f"a list of seeds, 0 to {MOST_SEED}"),
        Rule("parent", _is_empty_or(is_version), VERSION),
        Rule("job", _is_empty_or(is_job), "the id of a job"),
        Rule(
            "metrics", _are_metrics, "a list of results, each with a name, a value and a protocol"
        ),
        *(Rule(name, _is_finite, "made of finite numbers") for name in _PROVENANCE),
    ),
    Aliases: (
        Rule("serving", _is_empty_or(is_version), VERSION),
        Rule("previous", _is_empty_or(is_version), VERSION),
        Rule("history", _are_moves, f"a list of moves, each with a version of {VERSION}"),
    ),
    JobRecord: (
        Rule("id", is_job, "the id of a job"),
        Rule("attempts", lambda n: n >= 0, "0 or more"),
        Rule("samples", lambda labels: all(map(is_label, labels)), "a list of labels"),
        Rule("version", _is_empty_or(is_version), VERSION),
    ),
    DatasetRecord: (
        Rule("name", is_name, NAME_RULE),
        Rule("kept", lambda n: n >= 0, "0 or more"),
        Rule("heldout", lambda n: n >= 0, "0 or more"),
        Rule("counts", _are_counts, "numbers of images by resolution"),
        Rule("heldout_counts", _are_counts, "numbers of images by resolution"),
    ),
    KeyRecord: (
        Rule("id", is_version, "12 hexadecimal digits"),
        Rule("name", is_name, NAME_RULE),
        Rule("salt", lambda salt: _is_hexadecimal(salt, 32), "32 hexadecimal digits"),
        Rule("hash", _is_sum, "64 hexadecimal digits"),
    ),
    WebhookRecord: (
        Rule("job", is_job, "the id of a job"),
        Rule("attempts", lambda n: n >= 0, "0 or more"),
        Rule("created_at", _is_time, "a time"),
        Rule("next_at", _is_empty_or(_is_time), "a time"),
    ),
}
