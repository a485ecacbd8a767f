import pytest

from tests.app.client import problem_of
from tests.app.fake_engine import put_into_service


@pytest.fixture
def pair(api):
    """Return the permalinks of a cat of two versions."""
    versions = [put_into_service(api.store, red).version for red in (1, 2)]
    return [f"/cats/dcgan@{version}/7.png" for version in versions]


def vote(api, shown, chosen, key="one"):
    body = {"shown": shown, "chosen": chosen}
    return api.post("/votes", json=body, headers={"idempotency-key": key})


def test_votes_show_on_the_model(api, pair):
    first, second = pair
    assert vote(api, pair, first).json()["votes"]["wins"] == 1
    assert vote(api, pair, first).json()["votes"]["wins"] == 1, "a double click"
    assert (
        vote(api, [second, first], f"http://host/root{first}", "two").json()["votes"]["losses"] == 2
    )
    assert vote(api, pair, None, "three").json() == {
        "counted": True,
        "votes": {"wins": 2, "losses": 0, "ties": 1, "share": 1.0, "interval": [0.3424, 1.0]},
    }
    best, other = api.get("/models/dcgan").json()["votes"]
    assert f"@{best['version']}/" in first
    assert best["against"][0]["version"] == other["version"]
    assert (other["total"]["wins"], other["total"]["losses"]) == (0, 2)


def test_a_vote_that_makes_no_sense_is_refused(api, pair):
    first, second = pair
    assert problem_of(vote(api, [first, first], first), 422)["field"] == "shown"
    assert (
        problem_of(vote(api, pair, "/cats/dcgan@" + "0" * 12 + "/7.png"), 422)["field"] == "chosen"
    )
    assert problem_of(vote(api, ["/cats?seed=1", second], None), 422)["field"] == "shown.0"
    problem_of(vote(api, ["/cats/dcgan@" + "0" * 12 + "/7.png", second], None), 404)
    problem_of(api.post("/votes", json={"shown": pair, "chosen": None}), 422)
    vote(api, pair, first)
    problem_of(vote(api, pair, second), 409, "conflict")
