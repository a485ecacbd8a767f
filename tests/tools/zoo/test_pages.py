"""docs/zoo.md: everything on it comes from a card or a table."""

import pytest

from models.gan.recipes import RECIPES
from models.store.records import Card, Promotion
from tests.records import card
from tools.zoo.pages import Exhibit, command_of, zoo_page
from tools.zoo.published import PUBLISHED

ORDER = {
    "recipe": "dcgan",
    "dataset": "cat",
    "model": "dcgan",
    "size_px": 64,
    "budget": {"kimg": 400.0, "minutes": None},
    "seed": 1,
    "overrides": {"width": 32, "mirror": False},
}


def _card(**changes) -> Card:
    protocol = {"name": "cattery", "fakes": 2000, "reals": 8305}
    fields = {
        "model": "dcgan",
        "version": "0123456789ab",
        "kimg": 350.016,
        "seed": 1,
        "dataset": {"name": "cat", "license": "CC BY-NC 4.0", "pictures": 8305},
        "metrics": ({"name": "kid", "value": 0.25, "interval": [0.2, 0.3], "protocol": protocol},),
        "hardware": "two cores",
        "training_s": 1801.4,
        "parent": "ba9876543210",
        "picks": (7, 23),
        "order": ORDER,
    }
    return card(**{**fields, **changes})


def _page(*exhibits: Exhibit) -> str:
    return "\n".join(zoo_page(exhibits))


def test_the_command_is_that_of_the_order():
    """Budget and overrides as ordered: the card's kimg are those of the best snapshot."""
    assert command_of(_card()) == (
        "cattery train dcgan --dataset cat --kimg 400 --model dcgan --size 64 --seed 1 "
        "--set mirror=false --set width=32"
    )
    by_time = {**ORDER, "budget": {"kimg": None, "minutes": 2.5}, "overrides": {}}
    assert "--minutes 2.5 --model dcgan --size" in command_of(_card(order=by_time))
    assert command_of(_card(order={})) == ""


def test_the_page_has_all_of_a_card():
    page = _page(Exhibit(card=_card(), sheet="sheet.png", is_shipped=True))
    for told in (
        "](sheet.png)",
        "0.25 (0.2000 to 0.3000); `cattery`: 2000 fake, 8305 real images",
        "350.016 kimg, seed 1",
        "1801 s on two cores",
        "8305 images at 64 px",
        "CC BY-NC 4.0",
        "`0123456789ab`, packed from `ba9876543210`",
        "7, 23",
        "cattery train dcgan",
        PUBLISHED["dcgan"].figure,
        PUBLISHED["dcgan"].protocol,
    ):
        assert told in page, told


def test_unshipped_generators_have_their_own_section():
    """Shipped ones come first; an empty section is omitted."""
    shipped = Exhibit(card=_card(), sheet="a.png", is_shipped=True)
    shown = Exhibit(card=_card(model="lsgan", recipe="lsgan"), sheet="b.png", is_shipped=False)
    page = _page(shipped, shown)
    places = [page.index(text) for text in ("## Shipped", "a.png", "## Not shipped", "b.png")]
    assert places == sorted(places)
    assert "## Not" not in _page(shipped)
    later = Exhibit(card=_card(recipe="futuregan"), sheet="a.png", is_shipped=True)
    assert "futuregan" in _page(later), "a card of another release does not break the page"


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_states_what_was_published(name):
    assert PUBLISHED[name].protocol


def test_the_collapse_and_its_cure_stand_side_by_side():
    """Only the settings that differ; neither run is listed among the generators again."""
    runs = [
        ("lsgan-spots", "lsgan", 0.9, Promotion(decision="not promoted", reason="Collapsed.")),
        ("lsgan-cured", "lsgan-stable", 0.0, None),
    ]
    pair = [
        Exhibit(
            card=_card(
                model=model,
                recipe=recipe,
                settings={"width": 16, "beta1": beta1},
                promotion=promotion,
                order={**ORDER, "recipe": recipe},
            ),
            sheet=f"{model}.png",
            is_shipped=False,
        )
        for model, recipe, beta1, promotion in runs
    ]
    page = _page(Exhibit(card=_card(), sheet="sheet.png", is_shipped=True), *pair)
    assert "| samples | ![lsgan-spots](lsgan-spots.png) | ![lsgan-cured](lsgan-cured.png) |" in page
    assert "| `beta1` | 0.9 | 0.0 |" in page
    assert "`width` |" not in page
    assert "| collapse detector | Collapsed. | none of its rules fired |" in page
    assert "cattery train lsgan-stable --dataset cat" in page
    assert page.count("](lsgan-spots.png)") == 1
    assert "A collapse" not in _page(pair[0])
