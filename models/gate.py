"""Whether a new version takes over from the one in service."""

from collections.abc import Callable
from dataclasses import dataclass

from models.checkpoints import Generator, load_generator
from models.errors import CatteryError
from models.store import Store
from models.store.records import Json, Promote


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The gate's decision, and why, in a sentence."""

    promote: bool
    reason: str


def judge(
    store: Store,
    model: str,
    found: Json | None,
    wish: Promote,
    measure: Callable[[Generator], Json],
) -> Verdict:
    """Decide on promotion.

    Args:
        store: Holds the version in service.
        model: The model.
        found: The new version's metric, or None if it could not be computed.
        wish: What the order says.
        measure: Measures a generator as the new one was: same data, same seeds.
    """
    if wish is Promote.NEVER:
        return Verdict(promote=False, reason="The order says never.")
    if wish is Promote.ALWAYS:
        return Verdict(promote=True, reason="The order says always.")
    if found is None:
        return Verdict(promote=False, reason="Its metric could not be computed.")
    serving = store.aliases.get(model).serving
    if serving is None:
        return Verdict(promote=True, reason="No version was in service.")
    return _compare(store, model, serving, found, measure)


def _compare(
    store: Store, model: str, serving: str, found: Json, measure: Callable[[Generator], Json]
) -> Verdict:
    try:
        incumbent = measure(load_generator(store.versions.weights(model, serving)))
    except CatteryError as err:
        reason = f"The version in service, {serving}, could not be measured: {err}"
        return Verdict(promote=False, reason=reason)
    new, old = found["value"], incumbent["value"]
    is_better = new < old
    comparison = "better than" if is_better else "not better than"
    reason = f"{found['name']} {new:g} is {comparison} {old:g} of {serving}, in service."
    return Verdict(promote=is_better, reason=reason)
