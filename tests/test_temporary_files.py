"""Where only DATA_DIR can be written, temporary files have a folder there, in which killed processes leave nothing."""

import os
import time
from pathlib import Path

import pytest

from chatsite.installation.temporary_files import OLD, create_temporary_folder, remove_old_temporary_files
from tests.browser.site import Site, manage

LONG_AGO = time.time() - OLD - 60


def leave(path: Path, *, is_old: bool) -> Path:
    path.touch()
    if is_old:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def test_a_start_removes_what_killed_processes_left(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    (folder / "old folder").mkdir(parents=True)
    outside = leave(tmp_path / "outside", is_old=False)
    (folder / "link").symlink_to(tmp_path)
    for left in (leave(folder / "old", is_old=True), leave(folder / "old folder" / "file", is_old=True)):
        os.utime(left.parent, (LONG_AGO, LONG_AGO))
    os.utime(folder / "link", (LONG_AGO, LONG_AGO), follow_symlinks=False)
    os.utime(folder / "old folder", (LONG_AGO, LONG_AGO))
    leave(folder / "in use", is_old=False)
    with Site(tmp_path, TMPDIR=str(folder)):
        assert [path.name for path in folder.iterdir()] == ["in use"]
    assert outside.exists()


@pytest.mark.parametrize("asked", ["", "elsewhere"])
def test_a_folder_elsewhere_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    (data / "tmp").mkdir(parents=True)
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", asked and str(elsewhere))
    files = [leave(elsewhere / "old", is_old=True), leave(data / "tmp" / "old", is_old=True)]
    create_temporary_folder(data)
    remove_old_temporary_files(data)
    assert all(file.exists() for file in files)


def test_the_folder_does_not_stand_in_the_way_of_a_restore(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with Site(source):
        pass
    assert manage(source, "backup", str(tmp_path / "backup.tar"), SECRET_KEY="").returncode == 0
    restored = manage(target, "restore", str(tmp_path / "backup.tar"), SECRET_KEY="", TMPDIR=str(target / "tmp"))
    assert restored.returncode == 0, restored.stderr
    assert (target / "tmp").is_dir()
