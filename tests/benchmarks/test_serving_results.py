"""Ratios, medians and the tables that show them."""

import json

from benchmarks.serving.results import (
    Ceiling,
    Cell,
    Limit,
    Results,
    limit_of,
    markdown,
    merged,
    rival_of,
)


def cell(contender, cats_per_s, **numbers):
    """Return a cell of one cat a request and 32 clients."""
    usual = {"cats_per_s": cats_per_s, "p50_ms": 100.0, "p99_ms": 200.0, "errors": 0}
    usual |= {"cpu_ms": 8.25, "peak_mb": 500.0, "client_cores": 0.1}
    return Cell(contender=contender, title=contender, case="one", clients=32, **usual | numbers)


LIMITS = (
    Limit(way="torch", case="one", alone=200.0, loaded=400.0),
    Limit(way="cattery", case="one", alone=250.0, loaded=500.0),
)


def results(*cells):
    ceilings = (Ceiling(case="one", clients=32, requests_per_s=9000.0),)
    return Results(machine={"cores": 2}, cells=cells, limits=LIMITS, ceilings=ceilings)


def test_rounds_merge_into_medians_all_errors_and_the_largest_peak():
    """Of 100, 300 and 110 cats a second the median is 110; no round's error is forgotten."""
    rounds = [
        cell("ray", 100.0, errors=1, p99_ms=10.0),
        cell("ray", 300.0, errors=2, p99_ms=30.0, peak_mb=700.0),
        cell("ray", 110.0, p99_ms=None),
    ]
    (found,) = merged(rounds)
    assert (found.cats_per_s, found.errors, found.peak_mb) == (110.0, 3, 700.0)
    assert found.p99_ms == 20.0  # of the rounds in which an answer came


def test_the_rival_is_litserve_with_its_best_number_of_workers():
    """A ratio over the worse of the two would flatter us."""
    cells = [cell("litserve", 100.0), cell("litserve:2", 160.0), cell("bentoml", 170.0)]
    assert rival_of(cells) == 160.0
    assert rival_of(cells[2:]) is None


def test_one_client_has_another_limit_than_many():
    assert limit_of(LIMITS, "torch", "one", 1) == 200.0
    assert limit_of(LIMITS, "torch", "one", 32) == 400.0
    assert limit_of(LIMITS, "torch", "zip", 32) is None


def test_the_table_tells_both_ratios():
    """400 is 2.5 times LitServe's 160 and 80 % of our limit of 500; 160 is 40 % of theirs."""
    lines = list(markdown(results(cell("litserve:2", 160.0), cell("cattery", 400.0))))
    assert "### one cat a request, 32 clients" in lines
    rows = [line for line in lines if line.startswith("| ")][2:]
    assert rows == [
        "| cattery | 400 | 2.50 | 80% | 100 | 200 | 0 | 8.25 | 500 | 0.10 |",
        "| litserve:2 | 160 | 1.00 | 40% | 100 | 200 | 0 | 8.25 | 500 | 0.10 |",
        "| *bare limit: torch and Pillow* | 400 | 2.50 |  |  |  |  |  |  |  |",
        "| *bare limit: Cattery's engine and encoder* | 500 | 3.12 |  |  |  |  |  |  |  |",
    ]
    assert lines[-1] == "22.5 times the most in this table."
    alone = [line for line in markdown(results(cell("ray", 90.0))) if line.startswith("| ray")]
    assert alone == ["| ray | 90 |  | 22% | 100 | 200 | 0 | 8.25 | 500 | 0.10 |"]  # no rival


def test_all_figures_are_written_as_json(tmp_path):
    """Each round on its own, so that the spread can be told later."""
    path = tmp_path / "serving.json"
    results(cell("ray", 1.0), cell("ray", 2.0)).write(path)
    told = json.loads(path.read_text(encoding="utf-8"))
    assert [each["cats_per_s"] for each in told["cells"]] == [1.0, 2.0]
    assert told["limits"][0] == {"way": "torch", "case": "one", "alone": 200.0, "loaded": 400.0}
