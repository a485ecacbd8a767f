import json

import pytest

from models.comparison.comparison import chosen, orders
from models.comparison.costs import OF_RUN
from models.comparison.records import RECORD, read_comparison
from models.errors import InvalidValue, NotFound, RecipeError, StoreError
from models.gan.recipes import RECIPES
from models.store.records import Budget, JobStatus, Promote
from tests.models.comparison.comparisons import EACH_S, FIGURES

PAUSED = (JobStatus.QUEUED, None)
COLLAPSED = (JobStatus.COLLAPSED, "Training collapsed at step 200 (alike): 0.1 of 0.4.")
FAILED = (JobStatus.FAILED, "Out of memory on cpu with batch 8.")


def test_no_name_and_all_mean_every_recipe_and_a_name_twice_is_one():
    assert chosen([]) == chosen(["all"]) == tuple(RECIPES)
    assert chosen(["wgan", "dcgan", "wgan"]) == ("wgan", "dcgan")
    with pytest.raises(NotFound, match="dcgna"):
        chosen(["dcgna"])


def test_each_recipe_is_an_ordinary_job_with_the_same_order_but_for_its_name(stage):
    """Same data, seed, budget, size and numbers; a model of its own that is never promoted."""
    comparison = stage.compare()
    assert [recipe for recipe, _ in stage.ran] == ["dcgan", "wgan", "lsgan"]
    wanted = orders(stage.asked(), stage.store.datasets.get("small"), stage.store)
    for row in comparison.rows:
        record = stage.store.jobs.get(str(row.job))
        order = stage.store.jobs.order(record)
        assert (record.runner, record.status) == ("cli", JobStatus.FINISHED)
        assert order == wanted[row.recipe]
        assert (order.recipe, order.model) == (row.recipe, f"compare-{row.recipe}-32")
        assert (order.budget, order.seed, order.size_px) == (Budget(kimg=0.5), 3, 32)
        assert order.overrides == {"width": 4, "batch": 8}
        assert order.promote is Promote.NEVER


def test_a_row_has_what_job_card_and_meter_say(stage):
    stage.notes["wgan"] = "Boosts were shortened."
    comparison = stage.compare()
    row = comparison.rows[1]
    assert comparison.is_complete
    assert (row.recipe, row.status, row.kimg, row.best_kimg) == ("wgan", "finished", 0.5, 0.5)
    assert (row.steps, row.images_per_s, row.training_s) == (63, 125.0, 4.0)
    assert (row.metrics, row.note) == (FIGURES, "Boosts were shortened.")
    assert stage.store.versions.card("compare-wgan-32", str(row.version)).version == row.version
    assert row.wall_s == EACH_S
    assert (row.peak_bytes, row.peak_of) == (300_000_000, OF_RUN)
    assert (row.hardware, row.software) == ("a CPU", {"torch": "2.13.0"})
    assert read_comparison(stage.folder) == comparison
    record = json.loads((stage.folder / RECORD).read_text(encoding="utf-8"))
    assert record["asked"]["recipes"] == ["dcgan", "wgan", "lsgan"]
    assert record["asked"]["overrides"] == {"width": 4, "batch": 8}
    assert [row["status"] for row in record["rows"]] == ["finished"] * 3


@pytest.mark.parametrize(("end", "has_version"), [(COLLAPSED, True), (FAILED, False)])
def test_a_recipe_that_fails_is_a_row_and_not_the_end(stage, end, has_version):
    stage.ends["wgan"] = end
    comparison = stage.compare()
    assert [row.status for row in comparison.rows] == ["finished", end[0], "finished"]
    assert comparison.rows[1].reason == end[1]
    assert (comparison.rows[1].version is not None) == has_version
    assert any(f"wgan {end[0]}: {end[1]}" in text for text in stage.told)


def test_an_interrupted_comparison_goes_on_where_it_was(stage):
    """Ended recipes are not trained again, the interrupted one keeps its job and its costs."""
    stage.ends["wgan"] = PAUSED
    first = stage.compare()
    assert not first.is_complete
    assert [row.status for row in first.rows] == ["finished", "queued", "queued"]
    assert first.rows[1].kimg == 0.25
    assert first.rows[2].job is None
    del stage.ends["wgan"]
    second = stage.compare()
    assert second.is_complete
    assert [recipe for recipe, _ in stage.ran] == ["dcgan", "wgan", "wgan", "lsgan"]
    assert stage.ran[1] == stage.ran[2]
    assert second.rows[0] == first.rows[0]
    assert second.rows[1].wall_s == 2 * EACH_S
    assert second.rows[2].wall_s == EACH_S
    assert len(stage.store.jobs.list()) == 3


def test_a_process_killed_while_it_trains_has_left_its_job_in_the_record(stage):
    def die(record):
        raise KeyboardInterrupt(record.id)

    with pytest.raises(KeyboardInterrupt) as killed:
        stage.compare(die)
    comparison = stage.compare()
    assert comparison.rows[0].job == str(killed.value)
    assert len(stage.store.jobs.list()) == 3


def test_a_job_that_ended_before_the_record_knew_is_taken_as_it_is(stage):
    def die_late(record):
        raise KeyboardInterrupt(stage.run(record).id)

    with pytest.raises(KeyboardInterrupt):
        stage.compare(die_late)
    comparison = stage.compare()
    assert [recipe for recipe, _ in stage.ran] == ["dcgan", "wgan", "lsgan"]
    assert (comparison.rows[0].status, comparison.rows[0].steps) == ("finished", 63)
    assert comparison.rows[0].metrics == FIGURES


def test_an_ended_comparison_is_written_again_and_trains_nothing(stage):
    """Even when its jobs were deleted meanwhile: the record has the results."""
    first = stage.compare()
    for row in first.rows:
        stage.store.jobs.delete(str(row.job))
    (stage.folder / "index.html").unlink()
    assert stage.compare() == first
    assert len(stage.ran) == 3
    assert (stage.folder / "index.html").exists()
    assert stage.told[-1] == "3 recipes of 0.5 kimg each; all have ended."


def test_an_interrupted_job_that_was_deleted_is_trained_anew(stage):
    stage.ends["dcgan"] = PAUSED
    interrupted = stage.store.jobs.get(str(stage.compare().rows[0].job))
    paused = stage.run(interrupted)
    del stage.ends["dcgan"]
    stage.store.jobs.delete(stage.run(paused).id)
    comparison = stage.compare()
    assert comparison.rows[0].job != interrupted.id
    assert (comparison.rows[0].status, comparison.rows[0].wall_s) == ("finished", EACH_S)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"recipes": ("dcgan",)}, r"RECIPE is \('dcgan',\)"),
        ({"kimg": 0.75}, r"kimg is 0\.75.*Allowed: 0\.5"),
        ({"seed": 4}, r"seed is 4.*Allowed: 3"),
        ({"fakes": 64}, r"fakes is 64.*Allowed: None"),
        ({"overrides": {"width": 8, "batch": 8}}, r"set is \{'width': 8"),
        ({"fingerprint": "1" * 64}, "fingerprint of the dataset is '1111"),
    ],
)
def test_asking_something_else_in_the_same_folder_is_refused(stage, changes, says):
    stage.compare()
    before = (stage.folder / RECORD).read_bytes()
    with pytest.raises(InvalidValue, match=f"(?s){says}.*another --output"):
        stage.compare(**changes)
    assert (stage.folder / RECORD).read_bytes() == before
    assert len(stage.store.jobs.list()) == 3


def test_a_number_goes_to_the_recipes_that_have_it(stage):
    with pytest.raises(RecipeError):
        stage.compare(overrides={"clop": 1})
    comparison = stage.compare(overrides={"width": 4, "batch": 8, "clip": 0.02})
    assert [row.lacks for row in comparison.rows] == [("clip",), (), ("clip",)]
    made = {record.order["recipe"]: record.order["overrides"] for record in stage.store.jobs.list()}
    assert made["wgan"] == {"width": 4, "batch": 8, "clip": 0.02}
    assert made["dcgan"] == {"width": 4, "batch": 8}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"overrides": {"batch": 8, "clop": 1}},
            "set clop is 1.*hyperparameters of these recipes: width",
        ),
        ({"overrides": {"batch": 8, "r1": 1.0}}, "set r1 is 1.0.*clip"),
        (
            {"overrides": {"batch": 8, "clip": 2.0}},
            "wgan: overrides.clip is 2.0. Use 0.0001 to 1",
        ),
        ({"overrides": {}}, "dcgan: .*60 training images"),
        ({"kimg": -1.0}, r"dcgan: budget\.kimg is -1.0.*more than 0"),
        ({"size_px": 48}, "dcgan: size_px is 48.*power of two"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_trains(stage, changes, says):
    with pytest.raises(InvalidValue, match=f"(?s){says}"):
        stage.compare(**changes)
    assert stage.store.jobs.list() == []
    assert not stage.folder.exists()


def test_it_says_how_much_there_is_and_how_long_it_takes(stage):
    stage.ends["lsgan"] = PAUSED
    stage.compare()
    assert stage.told[0] == "3 recipes of 0.5 kimg each: 1.5 kimg in total."
    assert "dcgan finished. 2 more take about 14 s if each takes as long." in stage.told
    assert "wgan finished. 1 more take about 7 s if each takes as long." in stage.told
    stage.told.clear()
    del stage.ends["lsgan"]
    stage.compare()
    assert stage.told[0] == "3 recipes of 0.5 kimg each; 2 have ended, 0.25 kimg to go."
    assert stage.told[-1] == "lsgan finished."


def test_a_damaged_record_is_said_to_be_and_kept(stage):
    stage.folder.mkdir()
    (stage.folder / RECORD).write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="comparison record is not JSON"):
        stage.compare()
    assert (stage.folder / RECORD).read_text(encoding="utf-8") == "{"
    assert stage.ran == []


def test_an_output_that_cannot_be_a_folder_is_refused_before_anything_trains(stage):
    stage.folder.write_text("A file.", encoding="utf-8")
    with pytest.raises(InvalidValue, match=r"output is .*writable folder"):
        stage.compare()
    assert stage.ran == []
