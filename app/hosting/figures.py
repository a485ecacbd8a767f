"""What the processes of one service count, told to each other and summed up.

Each tells its own at a Unix socket: whoever connects gets the text and no question is
asked. The front end that is asked for /metrics collects from all and adds up.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

ANSWER_S = 1.0
"""How long a process may take to tell its figures; without an answer it is left out, seconds."""

OF_HOST = {
    "cattery_device_bytes": "cattery_device_bytes",
    "cattery_forward_seconds": "cattery_forward_seconds",
    "cattery_queue_seconds": "cattery_host_queue_seconds",
    "cattery_waiting_images": "cattery_waiting_images",
}
"""The host's figures that are told, and by which name: a batch of a front end waits there once
more. What a front end counts as well (pictures, refusals) would be counted twice."""

NOT_OF_FRONT_ENDS = frozenset({"cattery_device_bytes", "cattery_forward_seconds"})
"""There it is what they hold together, and the way to the host and back."""

LEAST = frozenset({"process_start_time_seconds", "process_max_fds"})
"""Figures of which the sum would mean nothing."""

PROCESSES = "cattery_processes"


def told_by_front_end(registry: CollectorRegistry) -> bytes:
    """Return what a front end counts, in Prometheus' text format."""
    return _text(f for f in registry.collect() if f.name not in NOT_OF_FRONT_ENDS)


def told_by_host(registry: CollectorRegistry) -> bytes:
    """Return what the engine host counts likewise, by the names of `OF_HOST`."""
    return _text(
        _renamed(family, OF_HOST.get(family.name, family.name))
        for family in registry.collect()
        if family.name in OF_HOST or family.name.startswith("process_")
    )


def summed(texts: Iterable[str]) -> bytes:
    """Return figures of several processes as one: each sample the sum by name and labels.

    Args:
        texts: What each process told, in Prometheus' text format; what is cut short
            is left out.
    """
    sums: dict[str, _Sum] = {}
    count = 0
    for families in filter(None, map(_read, texts)):
        count += 1
        for family in families:
            sums.setdefault(family.name, _Sum(family)).add(family.samples)
    processes = Metric(PROCESSES, "Processes that these figures come from.", "gauge")
    processes.add_sample(PROCESSES, {}, count)
    return _text([*(each.family() for each in sums.values()), processes])


async def telling(path: Path, told: Callable[[], bytes]) -> asyncio.Server:
    """Tell figures to whoever connects to a socket, until the returned server is closed.

    Args:
        path: The socket's.
        told: Returns the figures of now.
    """

    async def tell(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(told())
        writer.close()

    path.unlink(missing_ok=True)  # of a process that was killed
    return await asyncio.start_unix_server(tell, path)


async def collected(paths: Iterable[Path]) -> list[str]:
    """Return what is told at some sockets, without those where nobody answers in time."""
    told = await asyncio.gather(*map(_asked, paths))
    return [text for text in told if text]


async def _asked(path: Path) -> str:
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return (await reader.read()).decode(errors="replace")
            finally:
                writer.close()
    except OSError:  # a timeout is one as well
        return ""


def _read(text: str) -> list[Metric]:
    """Return the families in a text; none if its process was killed as it told them."""
    if not text.endswith("\n"):
        return []
    try:
        return list(text_string_to_metric_families(text))
    except ValueError:
        return []


class _Sum:
    """A family of samples that grows by those of other processes."""

    def __init__(self, family: Metric) -> None:
        self._family = family
        self._values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def add(self, samples: Iterable[Sample]) -> None:
        for sample in samples:
            key = sample.name, tuple(sample.labels.items())
            known = self._values.get(key)
            if known is None:
                self._values[key] = sample.value
            elif self._family.name in LEAST:
                self._values[key] = min(known, sample.value)
            else:
                self._values[key] = known + sample.value

    def family(self) -> Metric:
        summed = Metric(self._family.name, self._family.documentation, self._family.type)
        for (name, labels), value in self._values.items():
            summed.add_sample(name, dict(labels), value)
        return summed


class _Fixed(Collector):
    """Families as they are, for `generate_latest`."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _text(families: Iterable[Metric]) -> bytes:
    return generate_latest(_Fixed(map(_without_birthdays, families)))


def _without_birthdays(family: Metric) -> Metric:
    """Leave out when each counter began: of a sum, it means nothing."""
    kept = Metric(family.name, family.documentation, family.type)
    kept.samples = [each for each in family.samples if not each.name.endswith("_created")]
    return kept


def _renamed(family: Metric, name: str) -> Metric:
    renamed = Metric(name, family.documentation, family.type)
    renamed.samples = [
        each._replace(name=name + each.name.removeprefix(family.name)) for each in family.samples
    ]
    return renamed
