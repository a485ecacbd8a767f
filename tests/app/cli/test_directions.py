"""Directions from the command line."""

from models.directions.keeping import kept
from tests.app.fake_engine import publish_real


def test_directions_are_fitted_kept_and_shown(cattery, store):
    card = publish_real(store, 1, model="tabby")
    shown = cattery("models", "directions", "tabby", "--device", "cpu")
    assert shown.code == 0
    assert "ginger" in shown.out
    assert f"tabby@{card.version}" in shown.err
    assert kept(store, "tabby", card.version) is not None
    assert cattery("models", "directions", "tabby", "--device", "cpu").out == shown.out
