"""The grammar of addresses: round trips, one spelling a point, and errors that help."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidValue
from models.inference.latents import MAX_SEED
from models.latent_space import PointError, canonical, parse
from models.latent_space.grammar import GRAMMAR
from models.latent_space.points import MAX_CHARACTERS, MAX_DEPTH
from tests.models.latent_space.conftest import points

PAGE = Path(__file__).parents[3] / "docs" / "addresses.md"
often = settings(max_examples=300, deadline=None, derandomize=True, database=None)


@often
@given(points)
def test_every_point_is_read_back_from_its_address(point):
    assert parse(point.text) == point
    assert canonical(point.text) == point.text


@often
@given(points)
def test_addresses_hold_only_characters_that_no_client_encodes(point):
    """RFC 3986 calls them unreserved."""
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", point.text)


@often
@given(st.text("0123x.wm_t~-aof", max_size=30))
def test_any_text_is_a_point_with_one_spelling_or_an_error_with_its_remedy(text):
    refused = None
    try:
        assert canonical(canonical(text)) == canonical(text)
    except InvalidValue as error:
        refused = error
    if isinstance(refused, PointError):
        assert 0 <= refused.position <= len(text)
    assert refused is None or refused.allowed


def test_the_examples_of_the_documentation_hold():
    """Each row of the tables: what is written, and its one spelling."""
    rows = re.findall(r"^\| `([^`]*)` \| `([^`]*)` \|", PAGE.read_text(), re.MULTILINE)
    assert len(rows) > 20
    assert [canonical(written) for written, _ in rows] == [spelled for _, spelled in rows]


def test_the_documentation_has_every_rule_of_the_grammar():
    rules = re.findall(r"^(\w+) +=", PAGE.read_text(), re.MULTILINE)
    assert {"point", "seed", "code", "child", "place", "mutant", "moved", "truncated"} <= {*rules}


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "a seed"),
        ("cat", 0, "a seed"),
        ("3x", 2, "a seed"),
        ("3xx11.2", 2, "a seed"),
        ("3x11", 4, "to join the points"),
        ("3x11.", 4, "the number of a child"),
        ("3.2", 1, "x and another point"),
        ("3w0.5", 1, "x and another point"),
        ("3x11w", 4, "a share"),
        ("3x11.2.3", 6, "x and another point"),
        ("3y", 1, "the end"),
        ("3 x11.2", 1, "the end"),
        ("3m0.3", 1, "an amount and a number"),
        ("3_ginger", 1, "a direction and an amount"),
        ("3_Ginger1.0", 1, "a direction and an amount"),
        ("3_ginger+1.0", 1, "a direction and an amount"),
        ("3_ginger1.555", 12, "the end"),
        ("3t", 1, "a factor"),
        ("~AAA", 0, "a code"),
        ("~AA==~", 0, "a code"),
        ("~A~", 2, "base64url"),
        ("٣x11.2", 0, "a seed"),
        ("3x11.2\n", 6, "the end"),
    ],
)
def test_an_error_says_what_was_expected_where(text, position, expected):
    with pytest.raises(PointError) as caught:
        parse(text)
    assert caught.value.position == position
    assert expected in caught.value.expected
    assert f"character {position + 1}" in str(caught.value)
    assert GRAMMAR in str(caught.value)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (str(MAX_SEED + 1), "seed"),
        ("9" * 1000, "seed"),
        (f"3x11.{MAX_SEED + 1}", "child"),
        ("3m1.5.1", "mutation"),
        ("3x11w1.1", "share"),
        ("3x11w5of0", "share"),
        ("3x11w5of1001", "share"),
        ("3x11w5of4", "share"),
        ("3_ginger10.5", "ginger"),
        ("3_ginger9_ginger9", "ginger"),
        ("3t0.05", "truncation"),
        ("3t0.5t0.5", "truncation"),
    ],
)
def test_a_number_out_of_range_names_its_field(text, field):
    with pytest.raises(InvalidValue) as caught:
        parse(text)
    assert caught.value.field == field


def line_of(generations):
    return "3" + "".join(f"x{number}.0" for number in range(generations))


def test_family_trees_are_bounded_in_depth_and_length():
    assert parse(line_of(MAX_DEPTH)).depth == MAX_DEPTH
    with pytest.raises(InvalidValue, match=f"at most {MAX_DEPTH} generations"):
        parse(line_of(MAX_DEPTH + 1))
    with pytest.raises(InvalidValue, match=f"at most {MAX_CHARACTERS} characters"):
        parse("1" * (MAX_CHARACTERS + 1))


def test_an_address_that_is_too_long_only_in_its_one_spelling_is_refused():
    """`_a1` is spelled `_a1.0`: the limit holds for what others are led to."""
    letters = [a + b for a in "abcdefghijklmnopqrst" for b in "abcdefghijklmnop"]
    text = "3" + "".join(f"_{name}1" for name in letters[:320])
    assert len(text) < MAX_CHARACTERS
    with pytest.raises(InvalidValue, match=f"at most {MAX_CHARACTERS} characters"):
        parse(text)


def test_a_code_of_the_longest_latents_fits_twice():
    """Two found photos of a model with 512 numbers can have kittens."""
    code = f"~{'A' * 683}~"
    assert canonical(f"{code}x{code}m0.5.1.2")
