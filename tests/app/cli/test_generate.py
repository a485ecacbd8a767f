"""Cats to a file, from the shelf."""

import io
import zipfile

import pytest
from PIL import Image
from PIL.ExifTags import Base

from tests.app.fake_engine import real_weights


@pytest.fixture
def tabby(store, published):
    """Put a small random generator into service as the model `tabby`."""
    card = published(real_weights(1, 64, 8))
    store.aliases.promote("tabby", card.version)
    return card


def _generate(cattery, output, *arguments):
    outcome = cattery("generate", "--model", "tabby", "-o", str(output), *arguments)
    assert outcome.code == 0, outcome.err
    return output.read_bytes()


def test_a_sheet_holds_n_cats(cattery, tabby, tmp_path):
    """Six cats in rows of three are one PNG of 192 by 128 that says where it comes from."""
    png = _generate(cattery, tmp_path / "cats.png", "--n", "6", "--columns", "3", "--seed", "7")
    picture = Image.open(io.BytesIO(png))
    assert picture.size == (192, 128)
    assert picture.info["Cattery-Version"] == tabby.version
    assert picture.info["Cattery-Seeds"] == "7-12"


def test_a_webp_is_the_same_picture(cattery, tabby, tmp_path):
    for arguments in (["--n", "1", "--seed", "7"], ["--n", "5", "--seed", "7"]):
        webp = _generate(cattery, tmp_path / "cats.webp", *arguments)
        png = _generate(cattery, tmp_path / "cats.png", *arguments)
        with Image.open(io.BytesIO(webp)) as one, Image.open(io.BytesIO(png)) as other:
            assert (one.format, other.format) == ("WEBP", "PNG")
            assert one.tobytes() == other.tobytes()
            assert tabby.version in one.getexif()[Base.ImageDescription]


def test_a_zip_holds_the_same_cats_one_by_one(cattery, tabby, tmp_path):
    """Every file of the zip is, byte for byte, what the same seed gives alone."""
    _generate(cattery, tmp_path / "cats.zip", "--n", "2", "--seed", "7")
    alone = _generate(cattery, tmp_path / "cat.png", "--n", "1", "--seed", "8")
    with zipfile.ZipFile(tmp_path / "cats.zip") as cats:
        name = f"tabby@{tabby.version}"
        assert cats.namelist() == [f"{name}-7.png", f"{name}-8.png"]
        assert cats.read(f"{name}-8.png") == alone


def test_without_a_seed_the_cats_differ(cattery, tabby, tmp_path):
    first = _generate(cattery, tmp_path / "1.png", "--n", "1")
    assert first != _generate(cattery, tmp_path / "2.png", "--n", "1")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [(["-o", "cats.gif"], "output"), (["--seed", str(2**53 - 1), "--n", "2"], "seed")],
)
def test_what_cannot_be_made_is_refused(cattery, tabby, arguments, field):
    outcome = cattery("generate", "--model", "tabby", *arguments)
    assert outcome.code == 1
    assert outcome.err.startswith(f"Error: {field} is ")
