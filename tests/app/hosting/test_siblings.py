"""Tests of app.hosting.siblings: whole front ends that render in one host."""

import pytest

from app.hosting.figures import telling, told_by_host
from app.hosting.siblings import Sibling
from app.hosting.sockets import HOSTS_FIGURES
from app.main import create_app
from app.observability.metrics import Telemetry
from app.settings import AppSettings
from tests.app.client import pixels_of, problem_of, served
from tests.app.fake_engine import put_into_service, red_of


@pytest.fixture
def sibling_api(store, folder, tmp_path, monkeypatch):
    """Return a maker of front ends over the store that are one of several."""
    monkeypatch.setattr("app.main.register_zoo", lambda _store: [])

    def make(number: int = 0):
        settings = AppSettings(data=tmp_path / "data", watch_s=60.0)
        return served(create_app(settings, store=store, sibling=Sibling(folder, number, 30.0)))

    return make


def test_front_ends_serve_from_one_engine(sibling_api, hosting, store):
    """Two of them answer with the same bytes and tag, and the version is loaded once."""
    card = put_into_service(store, 3)
    path = f"/cats/dcgan@{card.version}/7.png"
    with hosting() as host, sibling_api(0) as one, sibling_api(1) as other:
        answers = [api.get(path) for api in (one, other)]
        assert len(host.loaded) == 1
    assert answers[0].status_code == 200
    assert pixels_of(answers[0].content)[0, 0, 0] == red_of(3)
    assert answers[0].content == answers[1].content
    assert answers[0].headers["etag"] == answers[1].headers["etag"]


def test_a_promotion_swaps_in_the_host(sibling_api, hosting, store):
    """The new version is loaded there, and the old one stays warm to go back to."""
    put_into_service(store, 1)
    with hosting() as host, sibling_api() as api:
        put_into_service(store, 2)
        api.run(api.app.state.pool.refresh_all())
        assert pixels_of(api.get("/cats?n=1&seed=1").content)[0, 0, 0] == red_of(2)
        assert len(host.host.engines) == 2


def test_metrics_are_those_of_all(sibling_api, hosting, folder, store):
    """Whoever is asked tells what the others and the host have counted as well."""
    put_into_service(store, 1)
    with hosting(), sibling_api() as api:
        telemetry, hosts = Telemetry(), Telemetry()
        telemetry.requests.labels("/cats", "GET", 200).inc(41)
        hosts.forward_s.observe(1.5)
        other = Sibling(folder, 1, 30.0)
        api.run(other.start(telemetry))
        server = api.run(telling(folder / HOSTS_FIGURES, lambda: told_by_host(hosts.registry)))
        api.get("/cats?n=1&seed=1")
        answer = api.get("/metrics")
        api.run(other.close())
        server.close()
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'cattery_requests_total{method="GET",route="/cats",status="200"} 42.0' in answer.text
    assert "cattery_forward_seconds_sum 1.5" in answer.text
    assert "cattery_processes 3.0" in answer.text


def test_ready_while_the_engine_host_answers(sibling_api, hosting, folder, store):
    """Without it no picture can be made: a front end says so by its name."""
    put_into_service(store, 1)
    with hosting(), sibling_api() as api:
        server = api.run(telling(folder / HOSTS_FIGURES, lambda: b"a 1\n"))
        ready = api.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["engine_host"]) == (200, "ok")
        server.close()
        document = problem_of(api.get("/readyz"), 503, "not-ready")
        assert document["missing"] == ["engine_host: It does not answer."]


def test_another_ones_upload_is_left_alone(sibling_api, hosting, tmp_path):
    """What looks half written when a front end starts may be on its way to another one."""
    part = tmp_path / "data" / "uploads" / "a.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    with hosting(), sibling_api():
        assert part.exists()
