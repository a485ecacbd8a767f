"""Tests of app.cats.nearest, its route, and models.metrics.pictures."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from models.metrics.measuring import reference_statistics
from models.metrics.pictures import TrainingPictures
from models.store.serialization import dumps
from tests.app.client import problem_of
from tests.app.fake_engine import SIZE_PX, put_into_service, red_of
from tests.records import add_dataset

COUNT = 8


@pytest.fixture
def trained(api, tmp_path):
    """Return a version of a store with its dataset: flat pictures, the seed's color among them."""
    colors = np.random.default_rng(0).integers(0, 256, (COUNT, 1, 1, 3), dtype=np.uint8)
    colors[5] = [red_of(1), 7, 0]  # what version 1 paints for the seed 7
    pack = np.broadcast_to(colors, (COUNT, SIZE_PX, SIZE_PX, 3)).copy()
    folder = tmp_path / "packs"
    folder.mkdir()
    add_dataset(
        api.store,
        folder,
        {str(SIZE_PX): pack, f"{SIZE_PX}-heldout": 255 - pack[:2]},
        name="flat",
        fingerprint="f" * 64,
    )
    card = put_into_service(api.store, 1)
    path = f"models/dcgan/versions/{card.version}/card.json"
    known = replace(card, dataset={"name": "flat", "fingerprint": "f" * 64}, size_px=SIZE_PX)
    api.store.tree.write(path, dumps(known))
    api.run(api.app.state.pool.refresh_all())
    return card.version


def test_a_copy_is_found_at_distance_zero(api, trained, tmp_path, monkeypatch):
    link = f"/cats/dcgan@{trained}/7/nearest"
    missing = problem_of(api.get(f"{link}.png"), 404, "not-found")
    assert "cattery evaluate" in missing["remedy"]
    dataset = api.store.datasets.get("flat")
    reference_statistics(api.store, dataset, SIZE_PX, cache=tmp_path)
    response = api.get(f"{link}.png")
    assert response.status_code == 200
    assert response.headers["cattery-picture"] == "5"
    # Features are kept in float16.
    assert float(response.headers["cattery-distance"]) < 0.05
    assert np.asarray(Image.open(BytesIO(response.content)))[0, 0].tolist() == [red_of(1), 7, 0]
    told = api.get(f"{link}.json").json()
    assert (told["dataset"], told["picture"]) == ("flat", 5)
    assert told["heldout_closer"] == 0
    tag = {"if-none-match": response.headers["etag"]}
    assert api.get(f"{link}.png", headers=tag).status_code == 304
    with monkeypatch.context() as patch:
        patch.setattr(api.app.state.nearest, "find", None)  # HEAD renders nothing
        head = api.ask("HEAD", f"{link}.png")
    assert (head.status_code, head.headers["content-type"]) == (200, "image/png")
    assert head.headers["etag"] == response.headers["etag"]
    api.delete("/datasets/flat")
    problem_of(api.get(f"{link}.png", headers=tag), 404, "not-found")


def test_another_data_set_of_the_same_name_is_not_taken_for_it(api, trained):
    path = "datasets/flat/dataset.json"
    record = api.store.datasets.get("flat")
    api.store.tree.write(path, dumps(replace(record, fingerprint="e" * 64)))
    document = problem_of(api.get(f"/cats/dcgan@{trained}/7/nearest.json"), 404)
    assert "other pictures" in document["detail"]


def test_a_version_that_came_without_its_data_set_says_so(api):
    version = put_into_service(api.store, 2).version
    document = problem_of(api.get(f"/cats/dcgan@{version}/7/nearest.png"), 404)
    assert "not in this store" in document["detail"]


def test_without_stored_features_there_is_nothing_to_compare(api, trained, tmp_path):
    dataset = api.store.datasets.get("flat")
    assert TrainingPictures.open(api.store, dataset, SIZE_PX, tmp_path) is None
