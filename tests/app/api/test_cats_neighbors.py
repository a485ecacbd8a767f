"""Tests of truncated cats and of neighbors over HTTP, without a socket."""

import io
import zipfile

import numpy as np
from PIL import Image

from app.inference.slot import load_engine
from tests.app.client import parts_of, pixels_of
from tests.app.fake_engine import SIZE_PX, publish_real


async def test_neighbors_are_the_same_bytes_in_every_wrapping(serving, store):
    """Alone, by permalink, in a zip, in parts and as tiles of a sheet; in none is it the plain cat.

    Each wrapping's own address, and the links of the listing, lead to the same.
    """
    card = publish_real(store, 1)
    home, change = f"/cats/dcgan@{card.version}", "near=7&distance=0.3&truncation=0.5"
    async with serving(load=load_engine) as (_, client):

        async def get(path):
            response = await client.get(path)
            assert response.status_code == 200
            again = await client.get(response.headers["content-location"])
            assert again.content == response.content
            return response

        alone = [(await get(f"{home}/{seed}.png?{change}")).content for seed in (8, 9, 10)]
        plain = [(await get(f"{home}/{seed}.png")).content for seed in (8, 9, 10)]
        assert len({*alone, *plain}) == 6
        assert (await get(f"/cats?seed=8&{change}")).content == alone[0]
        some = f"/cats?n=3&seed=8&columns=3&{change}"
        archive = zipfile.ZipFile(io.BytesIO((await get(f"{some}&format=zip")).content))
        assert [archive.read(name) for name in archive.namelist()] == alone
        name = f"dcgan@{card.version}-8-near-7-distance-0.3-truncation-0.5.png"
        assert archive.namelist()[0] == name
        parts = await get(f"{some}&format=multipart")
        links = [part["Content-Location"] for part in parts_of(parts)]
        assert links == [f"{home}/{seed}.png?{change}" for seed in (8, 9, 10)]
        assert all(png in parts.content for png in alone)
        listing = (await get(f"{some}&format=json")).json()
        assert [cat["permalink"] for cat in listing["cats"]] == links
        sheet = pixels_of((await get(some)).content)
        assert np.array_equal(sheet, np.hstack([pixels_of(png) for png in alone]))


def test_neighbors_go_from_one_seed_toward_each_of_the_others(ask, version):
    """At distance 0 all are the one cat, at distance 1 each is its own; 0.2 unless it is told."""
    tiles = {
        distance: pixels_of(ask(f"/cats?n=2&seed=110&columns=2&near=10{distance}").content)
        for distance in ("&distance=0", "", "&distance=1")
    }
    greens = {distance: tile[0, [0, SIZE_PX], 1].tolist() for distance, tile in tiles.items()}
    assert greens == {"&distance=0": [10, 10], "": [30, 30], "&distance=1": [110, 111]}


def test_what_is_changed_is_told(ask, version):
    """In headers, text chunks and the file's name; a plain cat has none of it."""
    told = {"Cattery-Near": "7", "Cattery-Distance": "0.2", "Cattery-Truncation": "0.7"}
    for query in ("seed=9", "seed=9&n=2"):
        changed, plain = ask(f"/cats?{query}&near=7&truncation=0.7"), ask(f"/cats?{query}")
        assert {name: changed.headers[name] for name in told} == told
        assert told.items() <= Image.open(io.BytesIO(changed.content)).info.items()
        assert not set(told) & set(Image.open(io.BytesIO(plain.content)).info)
        assert not {name.lower() for name in told} & set(plain.headers)
        assert "-near-7-distance-0.2-truncation-0.7.png" in changed.headers["content-disposition"]


async def test_each_variation_has_a_tag_of_its_own(app, client, version):
    """Spelled-out defaults change nothing; every change is another tag, known without rendering."""
    changes = ["near=7", "near=8", "near=7&distance=0.3", "truncation=0.7", "near=7&truncation=0.7"]
    link = f"/cats/dcgan@{version}/9.png"

    async def tag(query):
        return (await client.head(f"{link}?{query}")).headers["etag"]

    tags = {query: await tag(query) for query in ("", *changes)}
    assert len(set(tags.values())) == 6
    assert await tag("truncation=1.0") == tags[""]
    assert await tag("distance=0.20&near=7") == tags["near=7"]
    known = {"If-None-Match": tags["near=7"]}
    assert (await client.get(f"{link}?near=7", headers=known)).status_code == 304
    assert app.state.pool.serving()["dcgan"].engine.batches == []


def test_a_redirected_permalink_keeps_its_query_in_order(ask, version):
    response = ask("/cats/dcgan@serving/007.png?truncation=0.70&near=7")
    assert response.status_code == 307
    full = f"/cats/dcgan@{version}/7.png?near=7&distance=0.2&truncation=0.7"
    assert full == response.headers["location"]
