"""The load generator's words, and the requests it is told to make."""

import pytest

from benchmarks.serving.cases import CASES
from benchmarks.serving.client import parsed
from benchmarks.serving.contenders import CONTENDERS, Call, entries_for, entry_of

SAID = """Running 2s test @ http://127.0.0.1:8000
  2 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   143.05us   15.06us 300.00us   89.79%
RESULT {"duration_us": 2000000, "requests": 500, "bytes": 4347250, "p50_us": 110250, \
"p99_us": 240500, "max_us": 260000, "connect": 1, "read": 2, "write": 3, "status": 100, \
"timeout": 4}
"""


def test_what_wrk_said_becomes_a_load():
    """100 of 500 answers in 2 s told of errors: 200 good ones a second; 10 requests broke."""
    load = parsed(SAID, client_cores=0.25)
    assert (load.seconds, load.requests, load.p50_ms, load.p99_ms) == (2.0, 500, 110.25, 240.5)
    assert (load.refused, load.broken, load.errors) == (100, 10, 110)
    assert load.good_per_s == 200.0
    assert load.client_cores == 0.25
    empty = parsed(SAID.replace('"requests": 500', '"requests": 0').replace("100,", "0,"))
    assert (empty.p50_ms, empty.p99_ms, empty.good_per_s) == (None, None, 0.0)
    with pytest.raises(SystemExit, match="unable to connect"):
        parsed("unable to connect to 127.0.0.1:1 Connection refused")


def test_a_call_puts_the_seed_into_path_and_body():
    call = Call(method="POST", path="/a?seed={seed}", body='{"seed": {seed}}').of(7)
    assert (call.method, call.path, call.body) == ("POST", "/a?seed=7", '{"seed": 7}')


@pytest.mark.parametrize("contender", CONTENDERS.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_contender_is_asked_for_the_same(contender, case):
    """Number and format of each case stand in the request, and exactly one seed."""
    call = contender.call(case)
    said = call.path + call.body
    assert said.count("{seed}") == 1
    assert str(case.images) in said
    assert case.format in said
    assert (call.method == "POST") == bool(call.body)


def test_a_word_names_a_contender_and_its_workers():
    """`litserve:2` is LitServe with two workers, `ray` has one."""
    assert (entry_of("litserve:2").name, entry_of("litserve:2").workers) == ("litserve:2", 2)
    assert entry_of("litserve:2").title == "LitServe, 2 workers"
    assert (entry_of("ray").name, entry_of("ray").title) == ("ray", "Ray Serve")


@pytest.mark.parametrize("word", ["flask", "ray:0", "ray:many", "cattery:2"])
def test_an_unknown_contender_ends_the_command(word):
    with pytest.raises(SystemExit, match="cattery, litserve, bentoml, ray, fastapi"):
        entry_of(word)


def test_each_runs_with_one_worker_and_with_one_a_core():
    """Cattery renders on all cores in one process; eight workers are enough for any machine."""
    names = ["cattery", *(f"{n}{w}" for n in list(CONTENDERS)[1:] for w in ("", ":2"))]
    assert [entry.name for entry in entries_for(2)] == names
    assert [entry.name for entry in entries_for(1)] == list(CONTENDERS)
    assert max(entry.workers for entry in entries_for(64)) == 8
