"""Tests of app.jobs.films and its route."""

import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.jobs import films as module
from app.jobs.films import MOST_AT_ONCE, MOST_FRAMES, Films
from app.problems.errors import Busy
from models.images.formats import encode_png
from tests.app.client import problem_of
from tests.app.ordering import new_job


def filmed(store, count, side=16):
    """Write down a job with sheets that get brighter."""
    labels = tuple(str(number) for number in range(count))
    job = new_job(store, samples=labels)
    for number, label in enumerate(labels):
        shade = np.full((side, side, 3), 4 * number % 256, np.uint8)
        store.jobs.save_sample(job.id, label, encode_png(shade))
    return job.id


def frames_of(webp):
    image: Any = Image.open(BytesIO(webp))
    shades, durations = [], []
    for number in range(image.n_frames):
        image.seek(number)
        shades.append(int(np.asarray(image.convert("RGB")).mean().round()))
        durations.append(image.info["duration"])
    return image, shades, durations


def test_a_film_shows_every_sheet_in_order_and_holds_the_last(api):
    job = filmed(api.store, 5)
    response = api.get(f"/jobs/{job}/film.webp")
    assert response.headers["content-type"] == "image/webp"
    assert response.headers["cache-control"] == "no-cache"
    image, shades, durations = frames_of(response.content)
    assert image.size == (16, 16)
    assert shades == pytest.approx([0, 4, 8, 12, 16], abs=2)
    assert durations == [400, 400, 400, 400, 1600]
    tag = {"if-none-match": response.headers["etag"]}
    assert api.get(f"/jobs/{job}/film.webp", headers=tag).status_code == 304


def test_a_film_is_made_once_and_anew_when_there_is_another_sheet(store, monkeypatch):
    films, made = Films(store, 10**6), []

    def make(frames, _ms):
        made.append(len(frames))
        return b"webp"

    monkeypatch.setattr(module, "film", make)
    job = filmed(store, 2)
    for _ in range(3):
        assert films.film(films.sheets(job)) == b"webp"
    assert made == [2]
    store.jobs.save_sample(job, "1", encode_png(np.zeros((16, 16, 3), np.uint8)))
    films.film(films.sheets(job))
    assert made == [2, 2]


def test_long_and_large_ones_are_bounded(store):
    job = filmed(store, 2 * MOST_FRAMES + 1, side=20)
    films = Films(store, MOST_FRAMES * 100)
    sheets = films.sheets(job)
    assert len(sheets) == MOST_FRAMES
    assert sheets[0] == store.jobs.sample(job, "0")
    assert sheets[-1] == store.jobs.sample(job, str(2 * MOST_FRAMES))
    image, shades, _ = frames_of(films.film(sheets))
    assert image.size == (10, 10)
    assert len(shades) == MOST_FRAMES


def test_a_film_of_one_sheet_is_a_picture(store):
    job = filmed(store, 1)
    films = Films(store, 10**6)
    assert Image.open(BytesIO(films.film(films.sheets(job)))).size == (16, 16)


def test_a_job_without_sheets_has_no_film(api):
    problem_of(api.get(f"/jobs/{new_job(api.store).id}/film.webp"), 404)


def test_a_film_in_memory_does_not_wait_and_few_wait_for_one_being_made(store, monkeypatch):
    films, is_making, may_go_on = Films(store, 10**6), threading.Event(), threading.Event()
    kept, slow = films.sheets(filmed(store, 1)), films.sheets(filmed(store, 2))
    other = films.sheets(filmed(store, 3))
    films.film(kept)

    def make(_frames, _ms):
        is_making.set()
        assert may_go_on.wait(30)
        return b"webp"

    monkeypatch.setattr(module, "film", make)
    with ThreadPoolExecutor(MOST_AT_ONCE) as threads:
        waiting = [threads.submit(films.film, slow) for _ in range(MOST_AT_ONCE)]
        try:
            assert is_making.wait(30)
            assert films.film(kept).startswith(b"RIFF")
            while films._places._value:
                threading.Event().wait(0.01)
            with pytest.raises(Busy, match="films"):
                films.film(other)
        finally:
            may_go_on.set()
        assert [one.result() for one in waiting] == [b"webp"] * MOST_AT_ONCE
    assert films.film(other) == b"webp"  # each has given its place back


def test_head_makes_no_film(api, monkeypatch):
    job = filmed(api.store, 2)
    monkeypatch.setattr(api.app.state.films, "film", None)
    response = api.ask("HEAD", f"/jobs/{job}/film.webp")
    assert (response.status_code, response.headers["content-type"]) == (200, "image/webp")
    assert "content-length" not in response.headers
    tag = {"if-none-match": response.headers["etag"]}
    assert api.ask("HEAD", f"/jobs/{job}/film.webp", headers=tag).status_code == 304
