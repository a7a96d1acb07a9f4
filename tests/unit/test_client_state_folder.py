"""A program's folder is its owner's, and one process's at a time."""

import stat
from pathlib import Path

import pytest

from wherry.client.errors import FolderBusy, FolderUnusable
from wherry.client.state_folder import own_folder, private_folder


def test_a_folder_of_secrets_is_its_owners_alone(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert private_folder(folder) == folder
    with own_folder(folder), pytest.raises(FolderBusy), own_folder(folder):
        pass
    with own_folder(folder):
        assert folder.is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderUnusable):
        private_folder(tmp_path / "file" / "b")
