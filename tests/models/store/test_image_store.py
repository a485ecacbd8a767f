import pytest

from models.store.image_store import RECOUNT, ImageStore, renderings_path


@pytest.fixture
def version(store, card):
    return store.versions.publish("tabby", b"weights", card(), b"png").version


def test_what_was_kept_first_stays(store, version):
    """Of two shelves over one store the first wins, and both are told what is kept."""
    one, two = ImageStore(store.tree, 9), ImageStore(store.tree, 9)
    assert one.keep("tabby", version, {"7.png": b"first"}) == {"7.png": b"first"}
    kept = {"7.png": b"first", "8.png": b"8"}
    assert two.keep("tabby", version, {"7.png": b"other", "8.png": b"8"}) == kept
    assert one.read("tabby", version, ["7.png", "8.png", "9.png"]) == kept


def test_a_shelf_says_what_it_will_keep_and_after_one_look_without_the_store(store, version):
    """The first question lists the folder; then those kept and the room for more are known."""
    ImageStore(store.tree, 3).keep("tabby", version, {"1.png": b"1", "2.png": b"2"})
    shelf = ImageStore(store.tree, 3)
    assert shelf.admitted_at_once("tabby", version, ["1.png"]) is None
    assert shelf.admitted("tabby", version, ["1.png", "3.png"]) == {"1.png", "3.png"}
    assert shelf.admitted_at_once("tabby", version, ["1.png", "3.png"]) == {"1.png", "3.png"}
    assert shelf.admitted_at_once("tabby", version, ["1.png", "2.png"]) == {"1.png", "2.png"}


def test_where_not_all_find_room_none_of_the_new_ones_does(store, version):
    """Those that are kept stay; what another process has kept meanwhile is found."""
    assert ImageStore(store.tree, 0).admitted("tabby", version, ["1.png"]) == set()
    shelf = ImageStore(store.tree, 2)
    shelf.keep("tabby", version, {"1.png": b"1"})
    assert shelf.admitted("tabby", version, ["1.png", "2.png", "3.png"]) == {"1.png"}
    ImageStore(store.tree, 2).keep("tabby", version, {"3.png": b"3"})
    assert shelf.admitted("tabby", version, ["1.png", "2.png", "3.png"]) == {"1.png", "3.png"}


def test_what_others_keep_is_counted_now_and_then(store, version):
    shelf = ImageStore(store.tree, RECOUNT + 2)
    shelf.admitted("tabby", version, [])
    for name in ("a.png", "b.png"):
        store.tree.create(f"{renderings_path('tabby', version)}/{name}", b"theirs")
    assert shelf.admitted("tabby", version, ["0.png"]) == {"0.png"}
    for number in range(RECOUNT):
        shelf.keep("tabby", version, {f"{number}.png": b"ours"})
    assert shelf.admitted("tabby", version, ["a.png", "new.png"]) == {"a.png"}


def test_renderings_go_with_their_version_and_come_too_late_for_a_deleted_one(store, version):
    """Nothing is left behind, and the version's own files are no renderings."""
    shelf = ImageStore(store.tree, 9)
    shelf.keep("tabby", version, {"7.png": b"7"})
    store.versions.delete("tabby", version)
    assert store.tree.names(renderings_path("tabby", version)) == []
    assert shelf.keep("tabby", version, {"8.png": b"8"}) == {"8.png": b"8"}
    assert store.tree.names(renderings_path("tabby", version)) == []
    assert shelf.read("tabby", version, ["7.png", "8.png"]) == {}
