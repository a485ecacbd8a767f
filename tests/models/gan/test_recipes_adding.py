"""Adding a recipe touches one place: a row is added, and everything that lists recipes has it."""

from pathlib import Path

import pytest

from docs.generate import recipes_page
from models.errors import RecipeError
from models.gan.losses import RELATIVISTIC_PAIRING
from models.gan.recipe import Recipe
from models.gan.recipes import RECIPES, recipe
from models.jobs.order import make_order
from models.store.records import Budget

NAME = "rpgan-toy"


@pytest.fixture(autouse=True)
def added(monkeypatch):
    """One new row of the table, made of parts that exist."""
    row = Recipe(
        name=NAME,
        title="Relativistic pairing on the networks of 2016",
        source="Jolicoeur-Martineau 2018, arXiv:1807.00734",
        network="dcgan",
        objective=RELATIVISTIC_PAIRING,
        sizes_px=(32,),
        settings=RECIPES["dcgan"].settings,
    )
    monkeypatch.setitem(RECIPES, NAME, row)
    return row


def test_a_new_row_trains_and_is_documented(make_trainer, added):
    trainer = make_trainer(NAME)
    losses = trainer.step().values()
    assert losses["discriminator"] == pytest.approx(0.69, abs=0.4)
    assert trainer.step_count == 1
    page = "\n".join(recipes_page())
    assert f"## `{NAME}`" in page
    assert added.source in page


def test_a_new_row_can_be_ordered(store_with_cats):
    store, dataset = store_with_cats, store_with_cats.datasets.get("small")
    order = make_order(
        recipe=NAME, dataset=dataset, store=store, budget=Budget(kimg=1), overrides={"batch": 8}
    )
    assert (order.model, order.size_px) == (NAME, 32)
    with pytest.raises(RecipeError, match=f"hyperparameters of {NAME}"):
        recipe(NAME).with_overrides({"r1": 1})


def test_no_other_module_names_a_recipe():
    """What knew a recipe by name would have to be changed for the next one.

    `dcgan` alone may be named: it is the default model, and the example of the documentation.
    The zoo's table says what is trained for a release, and another one what was published.
    """
    root = Path(__file__).parents[3]
    quoted = [f'"{name}"' for name in RECIPES if name != "dcgan"]
    tables = {
        "models/gan/recipes.py",
        "models/networks/__init__.py",
        "tools/zoo/table.py",
        "tools/zoo/published.py",
    }
    found = [
        (path.relative_to(root).as_posix(), name)
        for room in ("app", "worker", "models")
        for path in (root / room).rglob("*.py")
        for name in quoted
        if path.relative_to(root).as_posix() not in tables and name in path.read_text()
    ]
    assert found == []
