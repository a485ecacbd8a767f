"""One seed, one cat, for ever: in whatever company, through swaps, and after restarts."""

import io
import itertools
import random
import threading
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.publishing.transfer import import_version
from models.store import Store
from tests.app.client import parts_of, pixels_of
from tests.app.fake_engine import real_weights
from tests.integration.conftest import wait_for

SEEDS = range(100, 112)
"""The cats that are known, each asked for alone first."""

MOVABLE = "/cats?seed={seed}"
"""A cat of whatever version is in service."""

CALLERS = 8
ROUNDS = 8
SATURATING = 32
LOOKS = 20
LONGEST_LAG_S = "1.0"
"""No aim, which `benchmarks.lag` measures, but what no machine is too busy for."""

BEFORE = {"CATTERY_RENDER_THREADS": "3", "CATTERY_CACHE_BYTES": "0"}
AFTER = {"CATTERY_RENDER_THREADS": "1", "CATTERY_MAX_BATCH": "5"}
"""Settings of the service and of the one that comes after it; none of them may matter."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cats")


@pytest.fixture(scope="module")
def versions(folder) -> list[str]:
    """Return two versions of one model, of which the first is in service."""
    store = Store.open(str(folder / "data" / "store"))
    both = [import_version(store, "dcgan", real_weights(n, 64, 8)).version for n in (1, 2)]
    store.aliases.promote("dcgan", both[0])
    return both


@pytest.fixture(scope="module")
def running(services, folder, versions):
    """Return a service that renders every cat anew: it remembers none."""
    return services(folder, **BEFORE)


@pytest.fixture(scope="module")
def client(running):
    """Return what asks it, from many threads at once."""
    with client_of(running) as client:
        yield client


@pytest.fixture(scope="module")
def alone(client, versions) -> dict:
    """Return content and tag of every known cat, by version and seed, asked for one by one."""
    return {
        version: {seed: told_by(client.get(link(version, seed))) for seed in SEEDS}
        for version in versions
    }


def client_of(service) -> httpx.Client:
    """Return a client of a service, as soon as that is ready."""
    url = service.wait_until_ready().url
    return httpx.Client(base_url=url, timeout=60, limits=httpx.Limits(max_connections=None))


def link(version: str, seed: object) -> str:
    return f"/cats/dcgan@{version}/{seed}.png"


def told_by(answer: httpx.Response) -> tuple[bytes, str]:
    """Return what must never change of an answer: content and tag."""
    return answer.raise_for_status().content, answer.headers["etag"]


def together(works: list[Callable[[], object]]) -> list:
    """Do everything at once, each in a thread of its own; return what comes of it."""
    with ThreadPoolExecutor(len(works)) as threads:
        return [doing.result() for doing in [threads.submit(work) for work in works]]


def samples_of(client) -> list:
    """Return all samples of a service's metrics, as they are at one moment."""
    families = text_string_to_metric_families(client.get("/metrics").raise_for_status().text)
    return [sample for family in families for sample in family.samples]


def figure(client, name: str) -> float:
    """Return the sum of a metric's samples, whatever their labels."""
    return sum(sample.value for sample in samples_of(client) if sample.name == name)


def lag_of(client) -> tuple[float, float]:
    """Return how often the event loop's lag was measured, and how often it was short."""
    samples = [each for each in samples_of(client) if each.name.startswith("cattery_loop_lag_")]
    every = [each.value for each in samples if each.name.endswith("_count")]
    short = [each.value for each in samples if each.labels.get("le") == LONGEST_LAG_S]
    return every[0], short[0]


def zipped(answer: httpx.Response, _columns: int) -> list[bytes]:
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    return [archive.read(name) for name in archive.namelist()]


def parted(answer: httpx.Response, _columns: int) -> list[bytes]:
    return [part.get_content() for part in parts_of(answer)]


def tiled(answer: httpx.Response, columns: int) -> list[bytes]:
    """Return the pixels of a sheet's tiles, row by row."""
    sheet = pixels_of(answer.content)
    rows, columns = len(sheet) // 64, min(columns, len(sheet[0]) // 64)
    tiles = sheet.reshape(rows, 64, columns, 64, 3).swapaxes(1, 2)
    return [tile.tobytes() for tile in tiles.reshape(-1, 64, 64, 3)]


WAYS = {"zip": zipped, "multipart": parted, "png": tiled}
"""Ways to have several cats in one answer, and how to take it apart."""


def ask_for_many(client, version, known, number: int) -> list[tuple[str, bool]]:
    """Ask for some number of some cats in some way; return way and truth of the known ones."""
    chance, found = random.Random(number), []  # noqa: S311 - no secret
    pixels = {seed: pixels_of(file).tobytes() for seed, (file, _) in known.items()}
    files = {seed: file for seed, (file, _) in known.items()}
    for _ in range(ROUNDS):
        n, columns, way = chance.randint(1, 64), chance.randint(1, 9), chance.choice([*WAYS])
        first = chance.randint(SEEDS[0] - n + 1, SEEDS[-1])
        query = f"model=dcgan@{version}&n={n}&seed={first}&format={way}&columns={columns}"
        cats = WAYS[way](client.get(f"/cats?{query}").raise_for_status(), columns)
        expected = pixels if way == "png" else files
        named = zip(range(first, first + n), cats[:n], strict=True)  # a sheet's end may be empty
        found += [(way, cat == expected[seed]) for seed, cat in named if seed in known]
    return found


def ask_for_each(client, version, known, number: int) -> list[tuple[str, bool]]:
    """Ask for every known cat by its permalink, again and again; return way and truth."""
    chance = random.Random(number)  # noqa: S311 - no secret
    seeds = [seed for _ in range(ROUNDS) for seed in chance.sample(SEEDS, len(SEEDS))]
    return [
        ("permalink", told_by(client.get(link(version, seed))) == known[seed]) for seed in seeds
    ]


@pytest.fixture(scope="module")
def heard(client, versions, alone) -> Counter:
    """Return how often a crowd had a known cat by each way, as it was or another."""
    asked = [ask_for_many, ask_for_each] * (CALLERS // 2)

    def work(number):
        version = versions[number // 2 % 2]
        return asked[number](client, version, alone[version], number)

    crowds = together([partial(work, number) for number in range(CALLERS)])
    return Counter(each for crowd in crowds for each in crowd)


@pytest.mark.parametrize("way", ["permalink", *WAYS])
def test_a_cat_is_the_same_in_whatever_company(heard, way):
    """A crowd asks for both versions at once: files keep their bytes, and tiles their pixels."""
    assert heard[way, True] > len(SEEDS)
    assert heard[way, False] == 0


def test_a_swap_and_back_mixes_nothing(client, versions, alone):
    """Every answer meanwhile has the cat of the version that it names, and nobody is refused."""
    seen: Counter[tuple[str, str]] = Counter()
    is_over = threading.Event()

    def follow(path: str) -> None:
        seeds = itertools.cycle(SEEDS)
        while not is_over.is_set():
            seed = next(seeds)
            answer = client.get(path.format(seed=seed))
            version = answer.headers["cattery-version"]
            assert told_by(answer) == alone[version][seed]
            assert answer.headers["content-location"] == link(version, seed)
            seen[path, version] += 1

    def has_more(version: str, than: int) -> bool:
        return seen[MOVABLE, version] > than

    def swap() -> None:
        try:
            for version in versions[::-1] * 2:
                body, had = {"version": version}, seen[MOVABLE, version]
                client.post("/models/dcgan/promote", json=body).raise_for_status()
                wait_for(partial(has_more, version, had + 2 * len(SEEDS)), f"cats of {version}")
        finally:
            is_over.set()

    fixed = [link(version, "{seed}") for version in versions]
    together([swap, *(partial(follow, path) for path in [MOVABLE] * (CALLERS - 2) + fixed)])
    assert all(seen[path, version] for path, version in zip(fixed, versions, strict=True))


@pytest.mark.parametrize(
    "path",
    ["/cats/dcgan@{version}/{seed}.png", "/cats/dcgan@{version}/{seed}.webp", "/cats?seed={seed}"]
    + [f"/cats?n=16&seed={{seed}}&format={way}" for way in WAYS],
)
def test_who_has_it_costs_no_forward_pass(client, versions, path):
    """A tag is told before anything was rendered, and who brings it gets 304."""
    path = path.format(version=versions[0], seed=10**9)
    before = figure(client, "cattery_images_rendered_total")
    tag = client.head(path).raise_for_status().headers["etag"]
    for method in ("GET", "HEAD"):
        answer = client.request(method, path, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
    assert figure(client, "cattery_images_rendered_total") == before
    assert client.get(path).headers["etag"] == tag
    assert figure(client, "cattery_images_rendered_total") > before


def test_a_busy_service_breathes(client):
    """Health and metrics are told while many times more cats are asked for than can be made."""
    is_over, seeds = threading.Event(), itertools.count(2 * 10**9, 16)

    def ask() -> None:
        while not is_over.is_set():
            client.get(f"/cats?n=16&seed={next(seeds)}").raise_for_status()

    def look() -> None:
        try:
            wait_for(lambda: figure(client, "cattery_waiting_images") > 0, "a crowd")
            for _ in range(LOOKS):
                assert client.get("/healthz").status_code == 200
                assert figure(client, "cattery_forward_seconds_count") > 0
            wait_for(lambda: lag_of(client)[0] >= before[0] + LOOKS, "the lag to be measured")
        finally:
            is_over.set()

    before = lag_of(client)
    together([look, *[ask] * SATURATING])
    every, short = lag_of(client)
    assert every - before[0] == short - before[1]


def test_a_cat_outlives_its_service(services, folder, running, alone):
    """Killed and started again with other lanes, batches and caches: the same cats."""
    running.kill()
    wanted = [(version, seed) for version, known in alone.items() for seed in known]

    def ask(version: str, seed: int) -> tuple[bytes, str]:
        return told_by(restarted.get(link(version, seed)))

    with client_of(services(folder, **AFTER)) as restarted:
        found = together([partial(ask, *cat) for cat in wanted])
    assert found == [alone[version][seed] for version, seed in wanted]
