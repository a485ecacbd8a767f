"""One cat becoming another, from the shelf to a file."""

import io
import re

import pytest
import torch
import typer.core
import typer.main
from PIL import Image, ImageSequence

from app.cats.walks import FEWEST_FRAMES, FRAMES, MOST_FRAMES
from app.cli.root import commands
from app.inference.slot import load_engine
from models.images.animations import ANIMATIONS
from models.inference.checkpoints import save_generator
from models.networks import NETWORKS


@pytest.fixture
def published_of(store, published):
    """Return a function that puts a small random generator of a network into service."""

    def publish(kind):
        torch.manual_seed(1)
        network = NETWORKS[kind]
        config = network.config(size_px=64, z_dim=8, width=8)
        weights = save_generator(network.generator(config).eval(), kind=kind, config=config)
        card = published(weights)
        store.aliases.promote("tabby", card.version)
        return card

    return publish


@pytest.fixture
def tabby(published_of):
    """Put a generator whose pictures depend on the latent's length into service."""
    return published_of("dcgan")


def _walk(cattery, output, *arguments):
    outcome = cattery("walk", "--model", "tabby", "-o", str(output), *arguments)
    assert outcome.code == 0, outcome.err
    return output.read_bytes(), outcome.err


@pytest.mark.parametrize("format_", ANIMATIONS)
def test_a_walk_is_the_same_bytes_as_the_services(cattery, tabby, new_api, tmp_path, format_):
    """Whatever the format; truncated as well."""
    changed = ("--frames", "5", "--truncation", "0.7")
    file, _ = _walk(cattery, tmp_path / f"w.{format_}", "--from", "3", "--to", "11", *changed)
    with new_api(load=load_engine) as api:
        address = f"/cats/tabby@{tabby.version}/walk/3-11.{format_}?frames=5&truncation=0.7"
        assert file == api.get(address).content
        found = api.get(f"/cats/walk?model=tabby&from=3&to=11&format={format_}")
        assert api.get(found.headers["location"]).content != file


def test_neighbors_are_the_same_bytes_as_the_services(cattery, tabby, new_api, tmp_path):
    """A sheet and a zip of `cattery generate`, near a seed and truncated."""
    changed = ("--near", "7", "--distance", "0.3", "--truncation", "0.5")
    asked = f"/cats?model=tabby@{tabby.version}&n=2&seed=8&near=7&distance=0.3&truncation=0.5"
    with new_api(load=load_engine) as api:
        for suffix in ("png", "zip"):
            output = tmp_path / f"cats.{suffix}"
            command = ("generate", "--model", "tabby", "--n", "2", "--seed", "8", *changed)
            cattery(*command, "-o", str(output))
            assert output.read_bytes() == api.get(f"{asked}&format={suffix}").content


def test_seeds_that_are_not_given_are_random_and_told(cattery, tabby, tmp_path):
    walks = [_walk(cattery, tmp_path / f"{i}.webp", "--frames", "2") for i in range(2)]
    assert walks[0][0] != walks[1][0]
    assert len([*ImageSequence.Iterator(Image.open(io.BytesIO(walks[0][0])))]) == 2
    assert re.search(rf"2 frames of tabby@{tabby.version}, seeds \d+ to \d+$", walks[0][1])


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["walk", "-o", "walk.mp4"], "output"),
        (["walk", "--from", str(2**53)], "from"),
        (["walk", "--truncation", "0.05"], "truncation"),
        (["generate", "--distance", "0.5"], "distance"),
        (["generate", "--near", "7", "--distance", "0.1234"], "distance"),
        (["generate", "--truncation", "2"], "truncation"),
    ],
)
def test_what_cannot_be_made_is_refused(cattery, tabby, arguments, field):
    outcome = cattery(*arguments, "--model", "tabby")
    assert outcome.code == 1
    assert outcome.err.startswith(f"Error: {field} is ")


@pytest.mark.parametrize("command", ["walk", "generate"])
def test_a_version_that_cannot_truncate_says_so(cattery, published_of, command):
    published_of("projected")
    outcome = cattery(command, "--model", "tabby", "--truncation", "0.5")
    assert outcome.code == 1
    assert "do not depend on the latent's length" in outcome.err


def test_the_options_have_the_ranges_of_the_service():
    """The command line repeats them, for it must not load the service to show its help."""
    group = typer.main.get_command(commands)
    assert isinstance(group, typer.core.TyperGroup)
    (frames,) = [vars(p) for p in group.commands["walk"].params if p.name == "frames"]
    told = (frames["min"], frames["max"], frames["default"])
    assert told == (FEWEST_FRAMES, MOST_FRAMES, FRAMES)
