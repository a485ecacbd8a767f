import pytest

from models.errors import Conflict
from models.store import votes as module
from models.store.votes import Tally, total, wilson

A, B, C = ("tabby", "a" * 12), ("tabby", "b" * 12), ("manx", "c" * 12)


def test_votes_are_tallied_for_both_sides_of_a_pair(store):
    for number, chosen in enumerate([A, A, B, None]):
        assert store.votes.add((A, B), chosen, f"key {number}")
    store.votes.add((C, A), A, "another")
    tallies = store.votes.tallies("tabby")
    ours, theirs = tallies["a" * 12][B], tallies["b" * 12][A]
    assert (ours.wins, ours.losses, ours.ties, ours.share) == (2, 1, 1, 0.6667)
    assert (theirs.wins, theirs.losses, theirs.ties) == (1, 2, 1)
    whole = total(tallies["a" * 12])
    assert (whole.wins, whole.losses, whole.ties) == (3, 1, 1)
    assert store.votes.tallies("manx")["c" * 12][A].losses == 1
    assert store.votes.tallies("sphynx") == {}


def test_a_vote_counts_once_and_cannot_be_changed(store):
    for shown in ((A, B), (B, A)):
        assert store.votes.add(shown, A, "k")
    assert store.votes.tallies("tabby")["a" * 12][B].wins == 1
    with pytest.raises(Conflict, match="another vote"):
        store.votes.add((A, B), B, "k")


def test_a_pair_keeps_a_bounded_number(store, monkeypatch):
    monkeypatch.setattr(module, "MOST_VOTES", 2)
    assert [store.votes.add((A, B), A, str(number)) for number in range(4)] == [True] * 2 + [
        False
    ] * 2
    assert store.votes.add((A, B), A, "0"), "a repeated one is still known"
    assert store.votes.tallies("tabby")["a" * 12][B].wins == 2


def test_equal_weights_under_two_names_are_told_apart(store):
    here, there = ("tabby", "d" * 12), ("manx", "d" * 12)
    store.votes.add((here, there), there, "k")
    assert store.votes.tallies("manx")["d" * 12][here].wins == 1


def test_the_interval_is_wilson_s():
    """Values of statsmodels' proportion_confint(method="wilson")."""
    assert wilson(0, 10) == (0.0, 0.2775)
    assert wilson(5, 10) == (0.2366, 0.7634)
    assert wilson(90, 100) == (0.8256, 0.9448)
    assert Tally.of(0, 0, 3).interval is None


def test_a_stray_file_hides_no_votes(store):
    store.votes.add((A, B), A, "a key")
    store.tree.write("votes/notes.txt", b"?")
    assert store.votes.tallies("tabby")["a" * 12][B].wins == 1
