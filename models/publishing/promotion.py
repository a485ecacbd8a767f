"""Whether a new version replaces the one in service."""

from collections.abc import Callable
from dataclasses import dataclass

from models.errors import BadEntry, CatteryError
from models.inference.checkpoints import Generator, load_generator
from models.metrics.comparison import Measurement
from models.metrics.kid import difference
from models.store import Store
from models.store.records import Promote


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether to promote a version, and why, in a sentence."""

    promote: bool
    reason: str


def judge(
    store: Store,
    model: str,
    found: Measurement | None,
    wish: Promote,
    measure: Callable[[Generator], Measurement],
    *,
    version: str | None = None,
) -> Verdict:
    """Decide whether to promote a version.

    A version is better if the whole 95 % interval of the difference of both kernel distances
    lies below zero. The one in service is evaluated again, whatever its card says, so that both
    are compared on the same images and seeds.

    Args:
        store: Holds the version in service.
        model: The model.
        found: The version's results, or None if it could not be evaluated.
        wish: What the order says.
        measure: Evaluates a generator as the new one was: same data, same seeds.
        version: The new version's id, if known: one in service is not better than itself.
    """
    if wish is Promote.NEVER:
        return Verdict(promote=False, reason="Not promoted: the order says never.")
    if wish is Promote.ALWAYS:
        return Verdict(promote=True, reason="Promoted: the order says always.")
    if found is None:
        return Verdict(promote=False, reason="Not promoted: its KID could not be computed.")
    try:
        serving = store.aliases.get(model).serving
    except BadEntry as err:  # hours of training must not fail for it
        return Verdict(promote=False, reason=f"Not promoted: {err}")
    if serving is None:
        return Verdict(promote=True, reason="Promoted: no version was in service.")
    if serving == version:  # equal weights have equal ids
        return Verdict(promote=False, reason=f"Not promoted: {serving} is already in service.")
    return _compare(store, model, serving, found, measure)


def _compare(
    store: Store,
    model: str,
    serving: str,
    found: Measurement,
    measure: Callable[[Generator], Measurement],
) -> Verdict:
    try:
        incumbent = measure(load_generator(store.versions.weights(model, serving)))
        change = difference(found.projections, incumbent.projections)
    except CatteryError as err:
        reason = f"Not promoted: {serving}, in service, could not be evaluated: {err}"
        return Verdict(promote=False, reason=reason)
    low, high = change.interval
    # Not the two values alone: most of their noise cancels in the paired difference.
    is_better = high < 0
    comparison = "better" if is_better else "worse" if low > 0 else "not significantly better"
    reason = (
        f"{'Promoted' if is_better else 'Not promoted'}: KID {found.projections.value:.4g} is "
        f"{comparison} than {incumbent.projections.value:.4g} of {serving}, in service "
        f"(difference {change.value:.3g}, 95 % interval {low:.3g} to {high:.3g})."
    )
    return Verdict(promote=is_better, reason=reason)
