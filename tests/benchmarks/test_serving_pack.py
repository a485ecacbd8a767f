"""What travels to a machine without internet, in pieces."""

import pytest

from benchmarks.serving.environments import join_parts, name_of
from benchmarks.serving.pack import cut, divided


def test_files_are_divided_among_as_few_pieces_as_fit():
    """60 and 40 fill one piece of 100, 50 and 30 another."""
    sizes = {"a": 30, "b": 60, "c": 50, "d": 40}
    assert divided(sizes, 100) == [["b", "d"], ["c", "a"]]


def test_a_file_that_was_cut_is_joined_again_or_its_missing_part_named(tmp_path):
    wheel = tmp_path / "large-1.0-py3-none-any.whl"
    raw = bytes(range(250))
    wheel.write_bytes(raw)
    cut(wheel, 100)
    assert sorted(path.stat().st_size for path in tmp_path.iterdir()) == [50, 100, 100]
    join_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [wheel.name]
    assert wheel.read_bytes() == raw
    cut(wheel, 100)
    (tmp_path / f"{wheel.name}.part-2-of-3").unlink()
    with pytest.raises(SystemExit, match=r"any\.whl\.part-2-of-3"):
        join_parts(tmp_path)


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("ray[serve]==2.60.0", "ray"),
        ("Pydantic_Settings>=2", "pydantic-settings"),
        ("h11 (>=0.9)", "h11"),
        ("torch; python_version < '4'", "torch"),
    ],
)
def test_a_requirement_names_a_package(requirement, name):
    assert name_of(requirement) == name
