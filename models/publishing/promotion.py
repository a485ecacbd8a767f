"""Whether a new version replaces the one in service."""

from collections.abc import Callable

from models.errors import BadEntry, CatteryError, LeaseLost, StoreError
from models.inference.checkpoints import Generator, load_generator
from models.metrics.comparison import Measurement
from models.metrics.kid import difference
from models.store import Store
from models.store.records import NOT_PROMOTED, PROMOTED, Promote, Promotion


def judge(
    store: Store,
    model: str,
    found: Measurement | None,
    wish: Promote,
    measure: Callable[[Generator], Measurement],
    *,
    version: str | None = None,
) -> Promotion:
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

    Raises:
        LeaseLost, StoreError: The job must stop; nothing is decided.
    """
    if wish is Promote.NEVER:
        return refused("Not promoted: the order says never.")
    if wish is Promote.ALWAYS:
        return _accepted("Promoted: the order says always.")
    if found is None:
        return refused("Not promoted: its KID could not be computed.")
    try:
        serving = store.aliases.get(model).serving
    except BadEntry as err:  # hours of training must not fail for it
        return refused(f"Not promoted: {err}")
    if serving is None:
        return _accepted("Promoted: no version was in service.")
    if serving == version:  # equal weights have equal ids
        return refused(f"Not promoted: {serving} is already in service.")
    return _compare(store, model, serving, found, measure)


def refused(reason: str) -> Promotion:
    """Return the decision not to promote, without a comparison."""
    return Promotion(decision=NOT_PROMOTED, reason=reason)


def _not_compared(serving: str, err: CatteryError) -> Promotion:
    return refused(f"Not promoted: {serving}, in service, could not be evaluated: {err}")


def _accepted(reason: str) -> Promotion:
    return Promotion(decision=PROMOTED, reason=reason)


def _compare(
    store: Store,
    model: str,
    serving: str,
    found: Measurement,
    measure: Callable[[Generator], Measurement],
) -> Promotion:
    try:
        incumbent = measure(load_generator(store.versions.weights(model, serving)))
        change = difference(found.projections, incumbent.projections)
    except BadEntry as err:
        return _not_compared(serving, err)
    except (LeaseLost, StoreError):  # the job is resumed, and compares then
        raise
    except CatteryError as err:
        return _not_compared(serving, err)
    low, high = change.interval
    # Not the two values alone: most of their noise cancels in the paired difference.
    is_better = high < 0
    comparison = "better" if is_better else "worse" if low > 0 else "not significantly better"
    reason = (
        f"{'Promoted' if is_better else 'Not promoted'}: KID {found.projections.value:.4g} is "
        f"{comparison} than {incumbent.projections.value:.4g} of {serving}, in service "
        f"(difference {change.value:.3g}, 95 % interval {low:.3g} to {high:.3g})."
    )
    protocol = found.rows[0]["protocol"] if found.rows else {}
    return Promotion(
        decision=PROMOTED if is_better else NOT_PROMOTED,
        reason=reason,
        compared=serving,
        kid=found.projections.value,
        compared_kid=incumbent.projections.value,
        difference=change.value,
        interval=(low, high),
        protocol=protocol.get("name"),
        dataset=protocol.get("dataset"),
    )
