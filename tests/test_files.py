"""Files and folders are moved into place whole, or not at all."""

import os

import pytest

from svf_helpers.files import write_file, written_beside
from tests.refusals import refuses


def there(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_error_leaves_what_was_there(tmp_path, error):
    write_file(tmp_path / "a.txt", b"old")

    def write():
        with written_beside(tmp_path / "a.txt") as beside:
            beside.write_bytes(b"half of it")
            raise error

    with pytest.raises(type(error)):
        write()
    assert ((tmp_path / "a.txt").read_bytes(), there(tmp_path)) == (b"old", ["a.txt"])


def test_nobody_sees_half_a_file(tmp_path):
    with written_beside(tmp_path / "a.txt") as beside:
        beside.write_bytes(b"half")
        assert not (tmp_path / "a.txt").exists()
        assert beside.parent == tmp_path  # a move within one folder is one step on every system
    assert (tmp_path / "a.txt").read_bytes() == b"half"


@pytest.mark.parametrize("older", [False, True])
def test_a_folder_takes_the_place_of_an_older_one(tmp_path, older):
    place = tmp_path / "model"
    if older:
        write_file(place / "gone.txt", b"old")
    with written_beside(place) as beside:
        write_file(beside / "new.txt", b"new")
    assert (there(place), there(tmp_path)) == (["new.txt"], ["model"])


def test_a_folder_that_cannot_be_moved_leaves_the_older_one(tmp_path, monkeypatch):
    place, move = tmp_path / "model", os.replace
    write_file(place / "old.txt", b"old")

    def fails(source, target):
        if str(source).endswith(".tmp") and os.path.isdir(source):
            raise OSError("not now")
        move(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with refuses(OSError, "not now"), written_beside(place) as beside:
        write_file(beside / "new.txt", b"new")
    assert (there(place), there(tmp_path)) == (["old.txt"], ["model"])


def test_a_file_is_on_disk_before_it_moves(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(os, "fsync", lambda handle: order.append("on disk"))
    move = os.replace
    monkeypatch.setattr(os, "replace", lambda *places: (order.append("moved"), move(*places)))
    write_file(tmp_path / "a.txt", b"new")
    assert order == ["on disk", "moved"]
