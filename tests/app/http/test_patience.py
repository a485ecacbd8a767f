"""Tests of app.http.patience."""

from app.http.patience import Pace


def slow_at(pace, *looks):
    """Return at which of some looks, (seconds, bytes), 10 bytes a second over 3 s are missed."""
    return [at for at, moved in looks if pace.is_too_slow(at, moved, 3.0, 10)]


def test_a_steady_pace_is_fast_enough_for_ever():
    """At the least rate, every window is good."""
    assert slow_at(Pace(), *((100.0 + s, 10 * s) for s in range(20))) == []


def test_a_pause_shorter_than_a_window_is_made_up_for():
    """Only what moves in a window counts, not when."""
    assert slow_at(Pace(), (0, 500), (1, 500), (2, 500), (3, 530), (5, 530), (6, 560)) == []


def test_too_little_in_one_window_is_too_slow():
    """What moved in earlier windows is no excuse."""
    assert slow_at(Pace(), (0, 0), (3, 1000), (4, 1001), (6, 1029)) == [6]


def test_a_restart_forgives():
    """A new window begins with the next look."""
    pace = Pace()
    assert slow_at(pace, (0, 0)) == []
    pace.restart()
    assert slow_at(pace, (9, 0), (11, 0)) == []
    assert slow_at(pace, (12, 0)) == [12]
