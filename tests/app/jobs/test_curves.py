"""Tests of app.jobs.curves and its route."""

import csv
from io import StringIO

from app.jobs.curves import COLUMNS, curves
from models.store.records import Event
from tests.app.client import problem_of
from tests.app.ordering import new_job
from tests.records import add_event

LOSSES = {"discriminator": 0.9, "penalty": 0.0, "generator": 2.5, "real": 0.7, "fake": -0.4}
PROGRESS = {"step": 50, "kimg": 3.2, "training_s": 45.0, "images_per_s": 71.1, "losses": LOSSES}
METRIC = {"name": "kid", "value": 0.06, "interval": [0.05, 0.07]}


def test_a_row_is_a_logged_point_under_a_header_that_stays():
    events = [
        Event(id=1, type="queued", at="a", data={}),
        Event(id=2, type="progress", at="b", data=PROGRESS),
        Event(id=3, type="snapshot", at="c", data={"kimg": 4, "training_s": 60, "metric": METRIC}),
    ]
    assert curves(events) == (
        "seq,at,event,step,kimg,minutes,images_per_s,loss_discriminator,loss_generator,penalty,"
        "score_real,score_fake,kid,kid_low,kid_high\r\n"
        "2,b,progress,50,3.2,0.75,71.1,0.9,2.5,0.0,0.7,-0.4,,,\r\n"
        "3,c,snapshot,,4,1.0,,,,,,,0.06,0.05,0.07\r\n"
    )


def test_what_is_not_a_number_and_what_older_releases_did_not_log_is_empty():
    losses = {"generator": float("nan")}
    text = curves(
        [
            Event(id=1, type="progress", at="a", data={"kimg": 1, "losses": losses}),
            Event(id=2, type="snapshot", at="b", data={"metric": None}),
            Event(id=3, type="progress", at="c", data={"done": 3, "total": 9, "kimg": 0.0}),
        ]
    )
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["loss_generator"] for row in rows] == ["", "", ""]
    assert rows[0]["minutes"] == rows[1]["kid"] == rows[0]["step"] == ""


def test_the_table_of_a_job_is_sent_once_until_it_grows(api):
    job = new_job(api.store).id
    add_event(api.store, job, "progress", PROGRESS)
    first = api.get(f"/jobs/{job}/metrics.csv")
    assert first.headers["content-type"].startswith("text/csv")
    assert first.text.splitlines()[0] == ",".join(COLUMNS)
    tag = {"if-none-match": first.headers["etag"]}
    assert api.get(f"/jobs/{job}/metrics.csv", headers=tag).status_code == 304
    add_event(api.store, job, "progress", PROGRESS)
    again = api.get(f"/jobs/{job}/metrics.csv", headers=tag)
    assert len(again.text.splitlines()) == 3
    problem_of(api.get("/jobs/20200101-000000-aaaaaa/metrics.csv"), 404)
