"""The file of what was fitted."""

import numpy as np
import pytest

from models.directions.fitted import LEAST_R2, Direction, Fitted
from models.errors import StoreError


def fitted(**changes):
    rows = [
        Direction(name="ginger", kind="attribute", r2=LEAST_R2, effect=4.0, more="ginger"),
        Direction(name="fluffy", kind="attribute", r2=LEAST_R2 - 0.01, effect=1.0, more="fluffy"),
        Direction(name="a", kind="axis", r2=None, effect=0.3, more="unnamed"),
    ]
    given = {
        "directions": tuple(rows),
        "vectors": np.eye(3, 5, dtype=np.float32),
        "encoder": np.ones((4, 5), np.float32),
        "center": np.zeros(4, np.float32),
        "thumbnails": np.full((7, 4), 9, np.uint8),
        "fit_s": 1.5,
    }
    return Fitted(**{**given, **changes})


def test_a_file_is_read_as_it_was_written():
    one = fitted()
    again = Fitted.from_bytes(one.to_bytes())
    assert again.directions == one.directions
    assert again.fit_s == 1.5
    for name in ("vectors", "encoder", "center", "thumbnails"):
        assert np.array_equal(getattr(again, name), getattr(one, name))


def test_only_directions_that_predict_are_offered():
    assert [*fitted().offered] == ["ginger", "a"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense",
        fitted().to_bytes()[:-1],
        fitted().to_bytes().replace(b"cattery-directions-1", b"cattery-directions-9"),
        fitted(center=np.zeros(3, np.float32)).to_bytes(),
        fitted(vectors=np.full((3, 5), np.nan, np.float32)).to_bytes(),
        fitted(directions=()).to_bytes(),
    ],
)
def test_a_damaged_file_says_how_to_renew_it(raw):
    with pytest.raises(StoreError, match="cattery models directions"):
        Fitted.from_bytes(raw)
