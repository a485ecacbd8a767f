import re

import pytest

from models.comparison.table import COLUMNS, cells, duration, markdown, remarks
from models.store.records import JobStatus
from tests.models.comparison.comparisons import FIGURES, QUICK

COLLAPSED = (JobStatus.COLLAPSED, "Training collapsed at step 200 (alike): 0.1 of 0.4.")
KID_ONLY = ({"name": "kid", "value": 0.5, "interval": [0.4, 0.6], "protocol": QUICK},)


def test_a_row_of_the_table_has_a_text_for_every_figure(stage):
    comparison = stage.compare()
    shown = cells(comparison)[1]
    assert tuple(shown) == tuple(COLUMNS)
    assert shown == {
        "recipe": "wgan",
        "status": "finished",
        "FD": "101.2",
        "KID (95 %)": "0.0625 (0.06 to 0.065)",
        "precision": "0.500",
        "recall": "0.250",
        "images/s": "125.0",
        "training, s": "4.0",
        "in all, s": "7.0",
        "peak memory, MB": "300",
        "kimg": "0.5",
        "steps": "63",
        "px": "32",
        "version": f"compare-wgan-32@{comparison.rows[1].version}",
    }


def test_the_markdown_is_one_table_with_a_line_a_recipe(stage):
    text = markdown(stage.compare())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 3
    assert {line.count("|") for line in lines} == {len(COLUMNS) + 1}
    assert (stage.folder / "comparison.md").read_text(encoding="utf-8") == text
    # What the figures depend on follows it.
    assert f"- dataset: small, fingerprint {'0' * 64}" in text
    assert "- protocol: name cattery, features efficientnet-lite0, fakes 2000" in text
    assert "- hardware: a CPU\n" in text
    assert "- software: torch 2.13.0\n" in text
    assert "- overrides: width 4, batch 8" in text
    assert re.search(r"- peak memory: the process's memory", text)
    assert re.search(r"- last changed: \d{4}-\d\d-\d\dT", text)


@pytest.mark.parametrize(("kimg", "ranks"), [(99.9, False), (100.0, True)])
def test_a_short_comparison_says_that_it_ranks_nothing(stage, kimg, ranks):
    assert ("too little to rank them" not in markdown(stage.compare(kimg=kimg))) == ranks


def test_a_recipe_without_a_number_that_was_set_is_said_to_have_its_own(stage):
    text = markdown(stage.compare(overrides={"width": 4, "batch": 8, "clip": 0.02}))
    assert "- `dcgan`: It has no clip and was trained with its defaults." in text
    assert "- `wgan`: It has no" not in text


def test_a_snapshot_s_figures_are_marked_beside_finished_versions(stage):
    """A job that ended early was measured by the quicker protocol."""
    stage.ends["dcgan"], stage.metrics["dcgan"] = COLLAPSED, KID_ONLY
    comparison = stage.compare()
    shown = cells(comparison)
    assert (shown[0]["FD"], shown[0]["KID (95 %)"]) == ("", "0.5 (0.4 to 0.6) *")
    assert shown[1]["KID (95 %)"] == "0.0625 (0.06 to 0.065)"
    text = markdown(comparison)
    assert "- `dcgan`: Collapsed: Training collapsed at step 200 (alike)" in text
    assert "protocol: name snapshot, features efficientnet-lite0, fakes 512." in text
    assert "- protocol: name cattery" in text


def test_of_two_protocols_on_a_card_the_default_one_is_shown(stage):
    """`cattery evaluate` may have added the other; what was not measured is empty and said."""
    lab = {"name": "kid", "value": 9.0, "protocol": {"name": "lab"}}
    stage.metrics.update(dcgan=(lab, *FIGURES), wgan=())
    comparison = stage.compare()
    assert cells(comparison)[0]["KID (95 %)"] == "0.0625 (0.06 to 0.065)"
    assert cells(comparison)[1]["FD"] == ""
    assert "It could not be evaluated." in list(remarks(comparison.rows[1], None))


def test_notes_of_recipe_and_card_are_remarks(stage):
    stage.notes["wgan"] = "Boosts have 5 steps"
    said = list(remarks(stage.compare().rows[1], FIGURES[0]["protocol"]))
    assert said[0] == "Boosts have 5 steps."
    assert said[1].startswith("The critic takes 100 steps")
    assert said[1].endswith(".")


def test_an_unfinished_comparison_says_so_and_may_go_on_elsewhere(stage):
    """Then speeds are said not to compare."""
    stage.ends["wgan"] = (JobStatus.QUEUED, None)
    comparison = stage.compare()
    assert [row["status"] for row in cells(comparison)] == ["finished", "interrupted", "to do"]
    assert "1 of 3 recipes have ended; run the same command to resume." in markdown(comparison)
    del stage.ends["wgan"]
    stage.hardware = "another CPU"
    text = markdown(stage.compare())
    assert "Not all ran on the same hardware" in text
    assert "- hardware: a CPU; or another CPU" in text


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (99, "99 s"), (720, "12 min"), (12600, "3.5 h")]
)
def test_durations_are_told_as_people_do(seconds, words):
    assert duration(seconds) == words
