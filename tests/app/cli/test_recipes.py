"""Tests of `cattery recipes`."""

import json

from models.gan.recipes import RECIPES


def test_recipes_are_listed_and_one_is_shown(cattery):
    rows = cattery("recipes").out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == list(RECIPES)
    assert [row["name"] for row in json.loads(cattery("recipes", "--json").out)] == list(RECIPES)
    assert "lr_generator" in cattery("recipes", "dcgan").out
    assert json.loads(cattery("recipes", "dcgan", "--json").out)["defaults"]["batch"] == 64
    assert cattery("recipes", "gan").code == 1
