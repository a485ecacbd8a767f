"""Records from files: any bytes give a record that can be written and sent again, or our error."""

import dataclasses
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from app.api.views import dataset_view, job_view, version_view
from models.errors import StoreError
from models.store.records import (
    Aliases,
    Budget,
    Card,
    DatasetRecord,
    JobKind,
    JobRecord,
    TrainingOrder,
)
from models.store.serialization import dumps, loads, to_json
from tests import records
from tests.json_values import JSON

ID = st.text("0123456789abcdef", min_size=12, max_size=12)
CARD = to_json(records.card(model="tabby", version="0" * 12, sha256="0" * 64))
JOB = to_json(
    JobRecord(
        id="job", kind=JobKind.TRAIN, order=to_json(records.training_order()), created_at="now"
    )
)
DATASET = to_json(records.dataset_record({"32": 2}))
ALIASES = to_json(Aliases(serving="0" * 12))
WHOLE = {Card: CARD, JobRecord: JOB, DatasetRecord: DATASET, Aliases: ALIASES}
KINDS = sorted(WHOLE, key=lambda kind: kind.__name__)


# What a client gets of each; it cannot be made of what cannot be sent.
VIEWS = {
    Card: lambda card: version_view(card, Aliases(), ""),
    JobRecord: lambda job: job_view(job, ""),
    DatasetRecord: lambda dataset: dataset_view(dataset, ""),
    Aliases: lambda aliases: aliases,
}


def _tried(kind, raw):
    """Read a record; if it is one, it can be written, read and sent."""
    try:
        record = loads(kind, raw)
    except StoreError:
        return
    assert loads(kind, dumps(record)) == record or "NaN" in str(dumps(record))
    view = VIEWS[kind](record)
    json.loads(TypeAdapter(type(view)).dump_json(view))


@given(st.sampled_from(KINDS), st.binary(max_size=64))
def test_any_bytes_are_a_record_or_our_error(kind, raw):
    _tried(kind, raw)


@given(st.sampled_from(KINDS), JSON)
def test_any_json_is_a_record_or_our_error(kind, value):
    _tried(kind, json.dumps(value).encode())


@given(st.data())
def test_a_record_with_any_field_replaced_is_a_record_or_our_error(data):
    kind = data.draw(st.sampled_from(KINDS))
    field = data.draw(st.sampled_from(sorted(WHOLE[kind])))
    _tried(kind, json.dumps({**WHOLE[kind], field: data.draw(JSON)}).encode())


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field.name) for kind in KINDS for field in dataclasses.fields(kind)]
)
def test_no_field_takes_a_value_of_another_type(kind, field):
    """No text is an object, and no other field of ours is a list of lists."""
    wrong = "text" if isinstance(WHOLE[kind][field], dict) else [[[]]]
    with pytest.raises(StoreError, match=f"damaged: {field}"):
        loads(kind, json.dumps({**WHOLE[kind], field: wrong}).encode())


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b'"\xed\xa0\x80"'], ids=len
)
def test_what_json_readers_stumble_over_is_our_error(raw):
    for kind in KINDS:
        with pytest.raises(StoreError):
            loads(kind, raw)


BUDGETS = st.builds(Budget, kimg=st.none() | st.floats(0, 1e6), minutes=st.none())
CARDS = st.builds(
    records.card,
    model=st.text(string.ascii_lowercase, min_size=1, max_size=9),
    version=ID,
    kimg=st.floats(0, 1e9),
    seed=st.integers(0, 2**53 - 1),
    picks=st.tuples(st.integers(0, 2**53 - 1)),
    note=st.text(st.characters(codec="utf-8")),
    metrics=st.tuples(st.fixed_dictionaries({"name": st.just("kid"), "value": st.floats(0, 1)})),
)
ORDERS = st.builds(records.training_order, budget=BUDGETS, seed=st.integers(0, 2**53 - 1))


@given(CARDS | ORDERS)
def test_a_record_reads_as_it_was_written(record):
    assert loads(type(record), dumps(record)) == record


@pytest.mark.parametrize(
    ("kind", "words"), [(Aliases, "aliases"), (JobRecord, "job"), (TrainingOrder, "training order")]
)
def test_a_damaged_record_is_named_in_words(kind, words):
    for raw, problem in (
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"a": "\\ud800"}', "damaged"),
    ):
        with pytest.raises(StoreError, match=f"^The {words} record is {problem}"):
            loads(kind, raw)
