"""Tests of app.api.models."""

import hashlib
import json
from dataclasses import replace

import pytest

from tests.app.client import problem_of
from tests.app.fake_engine import publish, put_into_service, red_of
from tests.app.ordering import new_job
from tests.records import put_job


def painted_by(api) -> str:
    """Return the version that a request without one gets."""
    return api.get("/cats?model=dcgan&seed=1").headers["cattery-version"]


def promote(api, version: str, model: str = "dcgan"):
    return api.post(f"/models/{model}/promote", json={"version": version})


@pytest.fixture
def versions(api):
    """Put version 1 into service, publish 2 beside it, and return both ids."""
    serving, other = put_into_service(api.store, 1), publish(api.store, 2)
    api.run(api.app.state.pool.refresh("dcgan"))
    return serving.version, other.version


def test_models_are_listed(api, versions):
    listed = api.get("/models").json()
    assert listed["default"] == "dcgan"
    (model,) = listed["models"]
    assert (model["name"], model["serving"], model["versions"]) == ("dcgan", versions[0], 2)


def test_a_model_tells_its_versions_and_moves(api, versions):
    model = api.get("/models/dcgan").json()
    assert model["serving"] == model["loaded"] == versions[0]
    assert model["previous"] is None
    assert [move["action"] for move in model["history"]] == ["promote"]
    cards = {card["version"]: card for card in model["versions"]}
    assert [cards[version]["alias"] for version in versions] == ["serving", None]
    card = cards[versions[1]]
    assert card == api.get(card["links"]["self"]).json()
    assert api.get(card["links"]["samples"]).content == b"no picture"
    assert api.get(card["links"]["cats"]).status_code == 200


def test_a_promoted_version_paints_the_next_cat_until_a_rollback(api, versions):
    """Each answer comes after its swap; a version may be shortened; two rollbacks undo nothing."""
    old, new = versions
    response = promote(api, new[:6])
    assert response.status_code == 200, response.text
    assert (response.json()["serving"], response.json()["previous"]) == (new, old)
    assert response.json()["loaded"] == painted_by(api) == new
    for version in (old, new):
        assert api.post("/models/dcgan/rollback").json()["loaded"] == version
        assert painted_by(api) == version


@pytest.mark.parametrize("url", ["", "unix:///nowhere/valkey.sock"])
def test_moving_an_alias_needs_no_redis(new_api, store, url):
    """With Redis away promotion and rollback work all the same."""
    old, new = put_into_service(store, 1), publish(store, 2)
    with new_api(redis_url=url) as api:
        assert promote(api, new.version).status_code == 200
        assert painted_by(api) == new.version
        assert api.post("/models/dcgan/rollback").json()["loaded"] == old.version


def test_a_version_that_cannot_paint_is_not_promoted(api, versions):
    """It is loaded and checked first; the alias and the pool stay."""
    bad = publish(api.store, 3, weights=json.dumps({"red": 255}).encode()).version
    document = problem_of(promote(api, bad), 409, "conflict")
    assert "cannot be served" in document["detail"]
    assert api.get("/models/dcgan").json()["serving"] == painted_by(api) == versions[0]


def test_nothing_to_roll_back_to_is_a_conflict(api, versions):
    problem_of(api.post("/models/dcgan/rollback"), 409, "conflict")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/models/dgcan", None),
        ("POST", "/models/dgcan/rollback", None),
        ("POST", "/models/dgcan/promote", {"version": "0123456789ab"}),
        ("GET", "/models/dgcan/versions/0123456789ab", None),
    ],
)
def test_an_unknown_model_is_told_with_the_known_ones(api, versions, method, path, body):
    response = api.ask(method, path, **({"json": body} if body else {}))
    assert problem_of(response, 404, "not-found")["known"] == ["dcgan"]


def test_an_unknown_version_is_told_with_the_known_ones(api, versions):
    for response in (promote(api, "0" * 12), api.get("/models/dcgan/versions/" + "0" * 12)):
        assert problem_of(response, 404, "not-found")["known"] == sorted(versions)


@pytest.mark.parametrize("body", [{}, {"version": ""}, {"version": 5}, {"version": "a", "x": 1}])
def test_a_promotion_names_one_version(api, versions, body):
    problem_of(api.post("/models/dcgan/promote", json=body), 422, "invalid-value")


def test_weights_travel_whole_and_once(api, versions):
    """The file is the one that was published, tagged by its checksum."""
    path = f"/models/dcgan/versions/{versions[0]}/generator.safetensors"
    response = api.get(path)
    assert response.content == json.dumps({"red": red_of(1)}).encode()
    digest = hashlib.sha256(response.content).hexdigest()
    assert response.headers["etag"] == f'"{digest}"'
    name = response.headers["content-disposition"].replace("%40", "@")
    assert f"dcgan@{versions[0]}.safetensors" in name
    again = api.get(path, headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = api.ask("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(response.content))


def test_damaged_weights_are_not_sent(api, versions):
    path = f"models/dcgan/versions/{versions[0]}/generator.safetensors"
    api.store.tree.write(path, b"rotten")
    problem_of(api.get("/" + path), 500, "damaged-version")


def test_only_versions_out_of_service_are_deleted(api, versions):
    """409 while serving or previous, 204 afterwards, then 410 for ever."""
    third = publish(api.store, 3).version
    promote(api, versions[1])
    for version in versions:
        problem_of(api.delete(f"/models/dcgan/versions/{version}"), 409, "conflict")
    here = f"/models/dcgan/versions/{third}"
    assert api.get(f"/cats?model=dcgan@{third}").status_code == 200
    assert api.delete(here).status_code == 204
    for path in (here, here + "/samples.png", here + "/generator.safetensors"):
        problem_of(api.get(path), 410, "gone")
    problem_of(api.delete(here), 410, "gone")
    problem_of(promote(api, third), 410, "gone")
    problem_of(api.get(f"/cats?model=dcgan@{third}"), 410, "gone")


@pytest.mark.parametrize("version", ["07", "serving", "previous", "dcgan@0123", "", "0" * 13])
def test_only_an_id_is_promoted(api, versions, version):
    """Told as it was sent; an alias would promote what is in service, which does nothing."""
    document = problem_of(promote(api, version), 422, "invalid-value")
    assert (document["field"], document["value"]) == ("version", version)
    assert "dcgan" not in document["detail"].replace(version, "")
    assert api.get("/models/dcgan").json()["serving"] == versions[0]


def test_a_part_of_the_weights_is_sent(api, store):
    """As RFC 9110, section 14.2, has it: unknown units are ignored, and errors are problems."""
    card = put_into_service(store, 1)
    path = f"/models/dcgan/versions/{card.version}/generator.safetensors"
    whole = api.get(path)

    def part(header: str, **more: str):
        return api.get(path, headers={"range": header, **more})

    some = part("bytes=2-5")
    assert (some.status_code, some.content) == (206, whole.content[2:6])
    for ignored in (part("items=0-5"), part("bytes=x"), part("bytes=0-1", **{"if-range": '"x"'})):
        assert (ignored.status_code, ignored.content) == (200, whole.content)
    beyond = part("bytes=99999999999-")
    problem_of(beyond, 416, "range-not-satisfiable")
    assert beyond.headers["content-range"] == f"bytes */{len(whole.content)}"


def test_two_lines_of_tags_are_one_list(api, store):
    card = put_into_service(store, 1)
    path = f"/models/dcgan/versions/{card.version}/samples.png"
    tag = api.get(path).headers["etag"]
    known = api.get(path, headers=[("if-none-match", '"x"'), ("if-none-match", tag)])
    assert known.status_code == 304


@pytest.mark.parametrize("damage", [b"garbage", b"{}", b'{"dataset": null}', b"[" * 100_000])
def test_a_damaged_card_hides_no_other_version(api, versions, damage):
    _, other = versions
    api.store.tree.write(f"models/dcgan/versions/{other}/card.json", damage)
    (listed,) = api.get("/models").json()["models"]
    assert listed["versions"] == 1
    assert len(api.get("/models/dcgan").json()["versions"]) == 1
    assert other in api.get("/readyz").json()["checks"]["records"]


def test_damaged_aliases_hide_no_model_and_are_mended_by_a_promotion(api, versions):
    _, other = versions
    api.store.tree.write("models/dcgan/aliases.json", b"garbage")
    (listed,) = api.get("/models").json()["models"]
    assert (listed["name"], listed["serving"]) == ("dcgan", None)
    assert "models/dcgan/aliases.json" in api.get("/readyz").json()["checks"]["records"]
    assert promote(api, other).status_code == 200
    assert api.get("/models/dcgan").json()["serving"] == other
    assert api.get("/readyz").json()["checks"]["records"] == "ok"


def test_stray_files_hide_nothing(api, versions):
    for path in ("models/notes.txt", "models/x", "jobs/stray", "datasets/stray"):
        api.store.tree.write(path, b"?")
    assert [model["name"] for model in api.get("/models").json()["models"]] == ["dcgan"]
    assert api.get("/models/x").status_code == 404
    assert api.get("/jobs").json()["jobs"] == api.get("/datasets").json()["datasets"] == []


def test_a_model_is_deleted_and_its_permalinks_are_gone(api):
    """What was taken before is answered; the default model and one in training stay."""
    put_into_service(api.store, 1)
    card = put_into_service(api.store, 2, model="kittens")
    api.run(api.app.state.pool.refresh_all())
    link = f"/cats/kittens@{card.version}/7.png"
    assert api.get(link).status_code == 200
    slot = api.run(api.app.state.pool.take("kittens"))
    problem_of(api.delete("/models/dcgan"), 409, "conflict")
    job = new_job(api.store)
    put_job(api.store, replace(job, order=job.order | {"model": "kittens"}))
    problem_of(api.delete("/models/kittens"), 409, "conflict")
    api.post(f"/jobs/{job.id}/cancel")
    assert api.delete("/models/kittens").status_code == 204
    assert slot.engine.size_px == card.size_px
    for path in (link, "/cats?model=kittens", "/models/kittens"):
        problem_of(api.get(path), 410, "gone")
    problem_of(api.delete("/models/kittens"), 410, "gone")
    assert [model["name"] for model in api.get("/models").json()["models"]] == ["dcgan"]
    assert "kittens" not in api.app.state.pool.serving()


def test_a_version_goes_back_into_service_after_a_rollback(api):
    first, second = (put_into_service(api.store, red).version for red in (1, 2))
    api.run(api.app.state.pool.refresh_all())
    assert api.post("/models/dcgan/rollback").json()["serving"] == first
    again = api.post("/models/dcgan/promote", json={"version": second}).json()
    assert (again["serving"], again["previous"], again["loaded"]) == (second, first, second)
    assert [move["action"] for move in again["history"]][-2:] == ["rollback", "promote"]
