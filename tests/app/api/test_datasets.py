"""Tests of app.api.datasets and app.jobs.uploads."""

import asyncio
import io
import zipfile
from pathlib import Path

import pytest

from app.observability.metrics import Telemetry
from models.store.records import Crop, ImportOrder, JobKind
from tests.app.client import problem_of
from tests.app.ordering import add_dataset, new_job
from tests.records import dataset_record

ZIP = {"content-type": "application/zip"}


@pytest.fixture(scope="module")
def archive(pictures) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for picture in sorted((pictures / "cats").iterdir())[:3]:
            target.write(picture, picture.name)
    return file.getvalue()


def left(tmp_path: Path) -> list[Path]:
    """Return the files in the folder of uploads, half-written ones included."""
    files = [path for path in (tmp_path / "data" / "uploads").rglob("*") if path.is_file()]
    return sorted(path for path in files if not path.name.endswith("lock"))


def in_pieces(content: bytes, size: int = 1000):
    """Yield a body without a declared length."""

    async def body():
        for begin in range(0, len(content), size):
            yield content[begin : begin + size]

    return body()


@pytest.mark.parametrize("is_declared", [True, False])
def test_an_upload_becomes_an_import_job(api, tmp_path, archive, is_declared):
    """202 with the job; the zip lies on disk, byte for byte, for the worker."""
    content = archive if is_declared else in_pieces(archive)
    response = api.post("/datasets/cats", content=content, headers=ZIP, params={"license": "CC0"})
    assert response.status_code == 202, response.text
    job = response.json()
    assert (job["kind"], job["status"]) == ("import", "queued")
    defaults = {"source": "", "crop": "center", "deduplicate": True}
    assert job["order"] == {"name": "cats", "license": "CC0", **defaults}
    assert response.headers["location"] == f"/jobs/{job['id']}"
    order = api.store.jobs.order(api.store.jobs.get(job["id"]))
    assert Path(order.source).read_bytes() == archive
    assert left(tmp_path) == [Path(order.source)]


def test_what_is_cut_out_and_deduplicated_is_part_of_the_order(api, archive):
    wanted = {"crop": "faces", "deduplicate": "false"}
    job = api.post("/datasets/cats", content=archive, headers=ZIP, params=wanted).json()
    order = api.store.jobs.order(api.store.jobs.get(job["id"]))
    assert (order.crop, order.deduplicate) == (Crop.FACES, False)
    wrong = api.post("/datasets/more", content=archive, headers=ZIP, params={"crop": "tails"})
    assert "center" in str(problem_of(wrong, 422))


def test_a_larger_upload_arrives_whole(api):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("noise.bin", bytes(range(256)) * 14_000)
    sent = file.getvalue()
    response = api.post("/datasets/noise", content=in_pieces(sent, 65_536), headers=ZIP)
    order = api.store.jobs.order(api.store.jobs.get(response.json()["id"]))
    assert Path(order.source).read_bytes() == sent


def test_a_name_is_taken_once(api, tmp_path, archive):
    add_dataset(api.store, tmp_path)
    problem_of(api.post("/datasets/cats", content=archive, headers=ZIP), 409, "conflict")
    assert left(tmp_path) == []


def test_a_name_under_import_is_taken(api, tmp_path, archive):
    """409 while another import of that name waits or runs; free again when it was canceled."""
    job = api.post("/datasets/cats", content=archive, headers=ZIP).json()
    document = problem_of(api.post("/datasets/cats", content=archive, headers=ZIP), 409, "conflict")
    assert job["id"] in document["detail"]
    assert api.post("/datasets/dogs", content=archive, headers=ZIP).status_code == 202
    api.post(job["links"]["cancel"])
    assert api.post("/datasets/cats", content=archive, headers=ZIP).status_code == 202


def test_two_uploads_of_one_name_at_once_are_one(api, archive):
    gate = asyncio.Event()

    async def slow():
        yield archive[:100]
        await gate.wait()
        yield archive[100:]

    async def both():
        first = asyncio.create_task(api.client.post("/datasets/cats", content=slow(), headers=ZIP))
        while not api.app.state.uploads._names:
            await asyncio.sleep(0)
        second = await api.client.post("/datasets/cats", content=archive, headers=ZIP)
        gate.set()
        return await first, second

    first, second = api.run(both())
    assert first.status_code == 202
    problem_of(second, 409, "conflict")


def test_a_name_taken_during_the_upload_is_a_conflict(api, tmp_path, archive):
    """A race is looked at again after the body has come, and nothing stays."""

    async def slow():
        yield archive[:100]
        api.store.jobs.create(JobKind.IMPORT, ImportOrder(name="cats", source="elsewhere"))
        yield archive[100:]

    problem_of(api.post("/datasets/cats", content=slow(), headers=ZIP), 409, "conflict")
    assert left(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", b"PK\x03\x04 cut short"])
def test_what_is_no_zip_is_refused(api, tmp_path, content):
    problem_of(api.post("/datasets/cats", content=content, headers=ZIP), 422, "invalid-value")
    assert left(tmp_path) == []
    assert api.store.jobs.list() == []


def test_what_is_no_zip_is_refused_by_its_first_bytes(api):
    """Gigabytes of something else are not waited for."""
    read = []

    async def endless():
        while True:
            read.append(1)
            yield b"x" * 1000

    problem_of(api.post("/datasets/cats", content=endless(), headers=ZIP), 422)
    assert len(read) < 5


def test_an_upload_over_its_limit_leaves_nothing(new_api, redis_url, tmp_path, archive):
    """413 as soon as the limit is passed; orders' smaller limit does not count here."""
    limits = {"max_upload_bytes": 4096, "max_body_bytes": 1024}
    with new_api(redis_url=redis_url, **limits) as api:
        assert len(archive) > 4096
        for content in (archive, in_pieces(archive)):
            response = api.post("/datasets/cats", content=content, headers=ZIP)
            document = problem_of(response, 413, "too-large")
            assert "CATTERY_MAX_UPLOAD_BYTES" in document["remedy"]
            assert left(tmp_path) == []
        assert api.store.jobs.list() == []


def test_a_client_that_hangs_up_leaves_nothing(api, tmp_path, archive):
    async def broken():
        yield archive[:1000]
        raise ConnectionResetError

    with pytest.raises(Exception, match=r"could not be kept"):
        api.run(api.app.state.uploads.keep(broken()))
    assert left(tmp_path) == []


def test_a_start_sweeps_what_a_killed_process_left(new_api, tmp_path):
    """Half-written uploads of a dead front end go; whole ones may have a job."""
    uploads = tmp_path / "data" / "uploads"
    dead = uploads / "import-dead" / "files"
    dead.mkdir(parents=True)
    (dead / "half.part").touch()
    (uploads / "whole.zip").touch()
    with new_api():
        assert [path.name for path in left(tmp_path)] == ["whole.zip"]


def test_a_start_leaves_another_front_ends_upload_alone(
    new_api, redis_url, tmp_path, archive, monkeypatch
):
    """A second front end over the same data folder may start while an upload comes in."""

    def start_another():
        (half,) = left(tmp_path)
        monkeypatch.setattr("app.main.Telemetry", Telemetry)  # not that of the first one
        with new_api():
            assert left(tmp_path) == [half]

    async def slow():
        yield archive[:100]
        await asyncio.to_thread(start_another)
        yield archive[100:]

    with new_api(redis_url=redis_url) as api:
        assert api.post("/datasets/cats", content=slow(), headers=ZIP).status_code == 202


@pytest.mark.parametrize(
    "name", ["Cats", "..", "a b", "-x", "x" * 64, "a..b", "%2e%2e", "caf%C3%A9"]
)
def test_a_bad_name_is_refused(api, tmp_path, archive, name):
    """Names that could leave the dataset's folder never become a path."""
    response = api.post(f"/datasets/{name}", content=archive, headers=ZIP)
    assert response.status_code in (404, 405, 415, 422)
    problem_of(response, response.status_code)
    assert left(tmp_path) == []


@pytest.mark.parametrize("url", ["", "unix:///nowhere/valkey.sock"])
def test_without_redis_nothing_is_taken_in(new_api, tmp_path, archive, url):
    """503 before the body is read."""
    with new_api(redis_url=url) as api:
        response = api.post("/datasets/cats", content=archive, headers=ZIP)
        problem_of(response, 503, "queue-unavailable")
        assert response.headers["retry-after"] == "5"
        assert api.store.jobs.list() == []
    assert left(tmp_path) == []


def test_datasets_are_told(api, tmp_path):
    """Counts per resolution, refusals and a preview with a tag."""
    add_dataset(api.store, tmp_path)
    (listed,) = api.get("/datasets").json()["datasets"]
    one = api.get("/datasets/cats").json()
    assert listed == one
    assert (one["counts"], one["rejected"]) == ({"64": 500}, {"too small": 2})
    preview = api.get(one["links"]["preview"])
    assert (preview.content, preview.headers["content-type"]) == (b"a preview", "image/png")
    tag = {"if-none-match": preview.headers["etag"]}
    assert api.get(one["links"]["preview"], headers=tag).status_code == 304
    document = problem_of(api.get("/datasets/dogs"), 404, "not-found")
    assert document["known"] == ["cats"]


def test_some_of_the_rejected_pictures_can_be_seen(api, tmp_path):
    (tmp_path / "sheet.png").write_bytes(b"a sheet")
    record = dataset_record(
        {"64": 9}, name="cats", source="a friend", pictured={"too small": ["a.png"]}
    )
    api.store.datasets.add(record, {"rejected/too-small.png": tmp_path / "sheet.png"})
    one = api.get("/datasets/cats").json()
    assert one["source"] == "a friend"
    link = one["links"]["rejected"]["too small"]
    assert api.get(link).content == b"a sheet"
    problem_of(api.get("/datasets/cats/rejected/duplicate.png"), 404, "not-found")
    api.delete("/datasets/cats")
    problem_of(api.get(link), 410, "gone")


def test_a_dataset_in_use_stays(api, tmp_path):
    add_dataset(api.store, tmp_path)
    job = new_job(api.store)
    problem_of(api.delete("/datasets/cats"), 409, "conflict")
    api.post(f"/jobs/{job.id}/cancel")
    assert api.delete("/datasets/cats").status_code == 204
    for path in ("/datasets/cats", "/datasets/cats/preview.png"):
        problem_of(api.get(path), 410, "gone")
    problem_of(api.delete("/datasets/cats"), 410, "gone")
