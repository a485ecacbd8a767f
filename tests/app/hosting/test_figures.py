"""Tests of app.hosting.figures."""

import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.hosting.figures import collected, summed, telling, told_by_front_end, told_by_host
from app.observability.metrics import Telemetry
from tests.app.client import run


def values_of(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return samples by name and the values of their labels."""
    families = text_string_to_metric_families(text.decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def front_end(requests: int, seconds: float) -> str:
    """Return what a front end tells that has sent some answers."""
    telemetry = Telemetry()
    telemetry.requests.labels("/cats", "GET", 200).inc(requests)
    telemetry.images.labels("dcgan").inc(requests)
    telemetry.queue_s.observe(seconds)
    telemetry.forward_s.observe(seconds)
    telemetry.cache_bytes.set(requests)
    telemetry.device_bytes.set(100)
    return told_by_front_end(telemetry.registry).decode()


def host(waiting: int) -> str:
    """Return what an engine host tells that has rendered one batch."""
    telemetry = Telemetry()
    telemetry.images.labels("").inc(8)
    telemetry.refused.labels("expired").inc()
    telemetry.queue_s.observe(0.25)
    telemetry.forward_s.observe(0.75)
    telemetry.waiting_images.set(waiting)
    telemetry.device_bytes.set(100)
    return told_by_host(telemetry.registry).decode()


def test_counters_gauges_and_histograms_are_summed():
    """Each sample is the sum over all processes, by name and labels."""
    values = values_of(summed([front_end(3, 0.002), front_end(4, 20.0), host(5)]))
    assert values["cattery_requests_total", ("GET", "/cats", "200")] == 7
    assert values["cattery_cache_bytes", ()] == 7
    assert values["cattery_waiting_images", ()] == 5
    assert values["cattery_queue_seconds_bucket", ("0.0025",)] == 1
    assert values["cattery_queue_seconds_count", ()] == 2
    assert values["cattery_queue_seconds_sum", ()] == 20.002
    assert values["cattery_processes", ()] == 3


def test_what_two_processes_see_is_counted_once():
    """Pictures are the front ends', forward passes the host's; its queue has its own name."""
    values = values_of(summed([front_end(3, 9.0), front_end(4, 9.0), host(0)]))
    assert values["cattery_images_rendered_total", ("dcgan",)] == 7
    assert ("cattery_images_rendered_total", ("",)) not in values
    assert values["cattery_forward_seconds_sum", ()] == 0.75
    assert values["cattery_host_queue_seconds_sum", ()] == 0.25
    assert values["cattery_device_bytes", ()] == 100
    assert ("cattery_refused_total", ("expired",)) not in values


def test_when_a_process_began_is_not_summed():
    """The oldest one's start is told, and no counter's."""
    texts = ["# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 5\n"] * 2
    assert values_of(summed(texts))["process_start_time_seconds", ()] == 5
    assert b"_created" not in summed([front_end(1, 1.0)])


def test_what_is_summed_can_be_read_again():
    """A sum has the types and words of its parts, so that Prometheus sees no difference."""
    once = front_end(2, 0.5)
    lines = {line for line in once.splitlines() if line.startswith("#")}
    assert lines <= set(summed([once, once]).decode().splitlines())


def test_the_dead_are_left_out(folder):
    """A socket that nobody answers at, or that never was, costs no figures of the others."""

    async def test():
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(folder / "killed"))
        server = await telling(folder / "alive", lambda: b"a 1\n")
        told = await collected(folder / name for name in ("killed", "alive", "none"))
        server.close()
        return told

    assert run(test()) == ["a 1\n"]


@pytest.mark.parametrize("cut", [-3, -40, 1])
def test_what_a_process_told_as_it_was_killed_is_left_out(cut):
    """A text that ends within a line, or within a number, costs no figures of the others."""
    values = values_of(summed([front_end(3, 1.0), front_end(40, 1.0)[:cut], host(5)]))
    assert values["cattery_requests_total", ("GET", "/cats", "200")] == 3
    assert values["cattery_processes", ()] == 2


def test_what_is_no_text_of_figures_is_left_out():
    """Whatever else a process says is not summed, and fails nothing."""
    values = values_of(summed(["a 1\n", "no figure\n"]))
    assert values == {("a", ()): 1, ("cattery_processes", ()): 1}


def test_who_comes_after_a_killed_one_takes_its_place(folder):
    """The socket file that a kill leaves behind is replaced."""

    async def test():
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(folder / "figures"))
        server = await telling(folder / "figures", lambda: b"a 1\n")
        told = await collected([folder / "figures"])
        server.close()
        return told

    assert run(test()) == ["a 1\n"]
