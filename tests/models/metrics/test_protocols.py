from dataclasses import replace

import pytest

from models.errors import InvalidValue
from models.metrics.features import FEATURES
from models.metrics.protocols import PROTOCOLS, headline, merged, protocol
from models.store.records import Json


def _row(name: str, of: str, value: float = 0.0, **more: object) -> Json:
    return {"name": name, "value": value, "protocol": {"name": of, **more}}


@pytest.mark.parametrize("row", PROTOCOLS.values(), ids=str)
def test_every_protocol_names_a_feature_network(row):
    assert PROTOCOLS[row.name] is row
    assert row.features in FEATURES


def test_the_protocols_have_the_numbers_that_were_agreed_on():
    fakes = {name: (len(row.seeds(64)), len(row.seeds(256))) for name, row in PROTOCOLS.items()}
    assert fakes == {
        "cattery": (2000, 2000),
        "snapshot": (512, 512),
        "held-out": (2000, 2000),
        "lab": (7000, 5000),
        "inception": (10_000, 10_000),
    }
    assert PROTOCOLS["lab"].seeds(128) == range(7000)
    assert {row.reals_at_most for row in PROTOCOLS.values()} == {10_000}


def test_an_unknown_protocol_is_refused():
    assert protocol("lab").features == "efficientnet-lite0-imagenet"
    with pytest.raises(InvalidValue, match="cattery, snapshot, held-out, lab, inception"):
        protocol("fid50k")


def test_the_headline_is_the_kid_of_the_default_protocol():
    """Else any KID; a card that holds only a Frechet distance has none."""
    old = _row("frechet_distance", "frechet-512")
    lab, own = _row("kid", "lab"), _row("kid", "cattery")
    assert headline([old, lab, own]) is own
    assert headline([old, lab]) is lab
    assert headline([old]) is None
    assert headline([{"name": "kid", "value": 1.0}]) == {"name": "kid", "value": 1.0}


def test_nothing_is_chosen_by_the_held_out_judge():
    """Its KID is no headline, not even where there is no other; it measures as the default does."""
    judged, lab = _row("kid", "held-out"), _row("kid", "lab")
    assert headline([judged]) is None
    assert headline([judged, lab]) is lab
    judge, ours = PROTOCOLS["held-out"], PROTOCOLS["cattery"]
    # Faces do not depend on features: they are counted once, by the default.
    same = replace(judge, name=ours.name, features=ours.features, note=ours.note, faces=ours.faces)
    assert same == ours
    others = {row.features for name, row in PROTOCOLS.items() if name != "held-out"}
    assert judge.features not in others


def test_a_result_measured_again_takes_its_old_place():
    """Same name and protocol, whatever the order of keys; another dataset is another result."""
    old = _row("frechet_distance", "frechet-512")
    first = _row("kid", "lab", 1.0, dataset="a", reals=2)
    other = _row("kid", "lab", 2.0, dataset="b", reals=2)
    again = _row("kid", "lab", 3.0, reals=2, dataset="a")
    assert merged((old, first), (other, again)) == (old, again, other)
