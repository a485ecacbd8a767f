"""Tests of app.http.negotiation, app.cats.etags and app.cats.archives."""

import io
import zipfile
from email import message_from_bytes, policy

import pytest

from app.cats.archives import multipart_of, zip_of
from app.cats.etags import etag_of
from app.http.negotiation import Format, negotiate
from app.inference.slot import Slot
from app.problems.errors import NotAcceptable
from tests.app.fake_engine import PaintingEngine, card_for

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
IMAGES = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


ACCEPTED: list[tuple[str, list]] = [
    ("png", [None, "", "*/*", "image/*", "image/png", "IMAGE/PNG", BROWSER]),
    ("png", ["image/webp;q=0.5, image/png;q=0.6", "image/png; q=0.1; x=y, */*; q=0.05"]),
    ("webp", ["image/webp", IMAGES, "image/png;q=0, */*"]),
    ("zip", ["application/zip", "image/png;q=0.5, application/zip"]),
    ("multipart", ["multipart/mixed", "multipart/*"]),
    ("json", ["application/json", "application/json, text/plain, */*", "application/*"]),
    ("json", ["image/png;q=0, image/webp;q=0, */*"]),
    ("json", ["application/zip;q=0.2, application/json;q=0.3"]),
]


@pytest.mark.parametrize(("accept", "format_"), [(a, f) for f, of in ACCEPTED for a in of])
def test_accept_chooses_the_format_liked_best(accept, format_):
    """Quality decides, then exactness, then the order of our table."""
    assert Format(format_) is negotiate(accept)


@pytest.mark.parametrize(
    "accept", ["text/html", "image/avif", "image/*;q=0", "nonsense/", "image/png;q=x", "*/*;q=0"]
)
def test_what_cannot_be_met_is_refused_naming_what_can(accept):
    with pytest.raises(NotAcceptable) as caught:
        negotiate(accept)
    types = "image/png image/webp application/zip multipart/mixed application/json"
    assert all(name in caught.value.remedy for name in types.split())


def test_a_tag_follows_from_all_that_shapes_the_bytes():
    slot = Slot("dcgan", "0" * 12, PaintingEngine(1), card_for("dcgan"))
    other = Slot("dcgan", "1" * 12, PaintingEngine(1, name="other"), card_for("dcgan"))
    tags = {etag_of(slot, "png", 1), etag_of(slot, "png", 2), etag_of(slot, "zip", 1)}
    assert len(tags | {etag_of(other, "png", 1)}) == 4
    assert etag_of(slot, "png", 1) in tags


def test_the_same_files_give_the_same_zip():
    files = {"one.png": b"1" * 100, "two.png": b"2"}
    bundle = zipfile.ZipFile(io.BytesIO(zip_of(files)))
    assert files == {name: bundle.read(name) for name in bundle.namelist()}
    assert zip_of(files) == zip_of(files)


def test_parts_are_whole_and_named():
    files = {"one.png": b"\r\n--\x00\xff\r\n", "two.png": b"2"}
    body = multipart_of(files, "edge", {"one.png": "/1", "two.png": "/2"}, "image/webp")
    head = b'Content-Type: multipart/mixed; boundary="edge"\r\n\r\n'
    parts = list(message_from_bytes(head + body, policy=policy.HTTP).iter_parts())
    assert [part.get_filename() for part in parts] == ["one.png", "two.png"]
    assert [part.get_content_type() for part in parts] == ["image/webp"] * 2
    assert [part["Content-Location"] for part in parts] == ["/1", "/2"]
    assert parts[1].get_payload(decode=True) == b"2"
