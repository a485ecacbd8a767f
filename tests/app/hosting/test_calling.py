"""Tests of app.hosting.calling; tests of app.hosting.proxy call a real host."""

from app.hosting.calling import close_all


def test_a_list_that_another_thread_empties_meanwhile_is_closed():
    """Between a look at the list and its last connection another thread may take that."""

    class Raced(list):
        def __len__(self):
            return 1

    class Idle:
        is_closed = False

        def close(self):
            self.is_closed = True

    idle = [Idle(), Idle()]
    close_all(Raced(idle))
    assert all(each.is_closed for each in idle)
