import numpy as np
import pytest
import torch

from models.errors import CheckpointError
from models.images.formats import contact_sheet, default_columns
from models.inference.checkpoints import load_generator, save_generator
from models.inference.engine import Engine
from models.inference.latents import Interpolated, walk
from models.networks import NETWORKS
from models.networks.dcgan import DcganConfig, DcganGenerator
from tests.generators import weights_file

CONFIG = DcganConfig(size_px=64, z_dim=100, width=16)
RAW = weights_file(size_px=64, z_dim=100)


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_one_seed_is_one_cat_at_every_batch_size_and_number_of_threads(kind):
    before = torch.get_num_threads()
    engine = Engine(load_generator(weights_file(kind)))
    # Those that are rendered one by one have no company; one size shows that they are.
    sizes = (2, 3, 5, 8, 16, 31, 64, 70) if NETWORKS[kind].renders_evenly else (3,)
    try:
        torch.set_num_threads(1)
        alone = engine.render([7])[0]
        for threads, companies in ((1, sizes), (2, sizes), (3, (3, 33)), (5, (3, 33))):
            torch.set_num_threads(threads)
            for size in companies:
                batch = engine.render([*range(100, 100 + size - 1), 7])
                assert len(batch) == size
                assert np.array_equal(batch[-1], alone), (size, threads)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert alone.shape == (32, 32, 3)
    assert alone.std() > 0


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_truncation_changes_pictures_where_the_table_says_so(kind):
    """Half a latent is another picture, or exactly the same one where its length is normalized."""
    engine = Engine(load_generator(weights_file(kind)))
    whole, half = engine.render([7, Interpolated(start=7, end=7, truncation=0.5)])
    assert engine.truncates == NETWORKS[kind].truncates
    assert engine.truncates == (not np.array_equal(whole, half))


@pytest.mark.parametrize("kind", ["dcgan", "projected"])
def test_a_walk_shows_the_cats_of_its_seeds_first_and_last(kind):
    engine = Engine(load_generator(weights_file(kind)))
    frames, cats = engine.render(walk(3, 11, 5)), engine.render([3, 11])
    assert np.array_equal(frames[[0, -1]], cats)
    assert not any(np.array_equal(frames[2], cat) for cat in cats)


def test_equal_weights_are_equal_bytes_and_come_back_whole():
    """A version's id relies on it."""
    assert weights_file(size_px=64, z_dim=100) == RAW
    again = load_generator(RAW)
    assert save_generator(again.network, kind="dcgan", config=CONFIG) == RAW
    assert (again.size_px, again.z_dim) == (64, 100)


def test_weights_that_are_not_finite_or_of_another_shape_are_refused():
    """One NaN is enough, and the tensor is named; or a header that promises another width."""
    network, other = DcganGenerator(CONFIG), DcganConfig(size_px=64, z_dim=100, width=32)
    with pytest.raises(CheckpointError, match="shape"):
        load_generator(save_generator(network, kind="dcgan", config=other))
    with torch.no_grad():
        network.main[3].get_parameter("weight")[0, 0, 0, 0] = float("nan")
    with pytest.raises(CheckpointError, match=r"main\.3\.weight"):
        load_generator(save_generator(network, kind="dcgan", config=CONFIG))


@pytest.mark.parametrize(
    "junk",
    [b"not a weights file at all", b"\xff" * 64, b"\x80\x04]."]
    + [RAW[:keep] for keep in (0, 4, 8, 60, 500, 20_000)],
    ids=len,
)
def test_what_is_no_whole_weights_file_is_refused(junk):
    """Text, noise, pickles and what was cut alike; nothing is unpickled."""
    with pytest.raises(CheckpointError):
        load_generator(junk)


def test_a_sheet_lays_pictures_edge_to_edge_row_by_row():
    pixels = np.stack([np.full((2, 2, 3), 10 * (i + 1), np.uint8) for i in range(5)])
    sheet = contact_sheet(pixels)
    assert sheet.shape == (4, 6, 3)
    assert sheet[0, :, 0].tolist() == [10, 10, 20, 20, 30, 30]
    assert sheet[2, :, 0].tolist() == [40, 40, 50, 50, 0, 0]
    assert contact_sheet(pixels, columns=1).shape == (10, 2, 3)
    assert [default_columns(n) for n in (1, 2, 4, 5, 9, 10, 64)] == [1, 2, 2, 3, 3, 4, 8]
