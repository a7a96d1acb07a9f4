"""The tutorial works as it stands: its commands are run in one shell, in their order, as a newcomer would."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demo.loopdisk import obstacle
from demo.services import free_port

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
LIMIT_S = 240
# What a reader does by hand when something goes wrong; after the page's own end nothing of it is left to do.
TIDY = """
cleared() {
    [ -z "$(jobs -pr)" ] || kill $(jobs -pr)
    wait
    cd /
    ! mountpoint --quiet "$HOME/wherry-tour/look" || umount "$HOME/wherry-tour/look"
    ! mountpoint --quiet "$HOME/wherry-tour/disk" || umount "$HOME/wherry-tour/disk"
    [ -z "$(losetup --associated "$HOME/wherry-tour/disk.img")" ] || losetup --detach "$disk"
}
trap cleared EXIT
"""

pytestmark = pytest.mark.skipif(obstacle() != "", reason=obstacle())


def script(page: str) -> str:
    """Return the commands of the page, on ports that nobody else uses."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    text = "set -euo pipefail\n" + TIDY + "".join(blocks)
    return text.replace(":8443", f":{free_port()}").replace(":8899", f":{free_port()}")


def test_the_commands_of_the_tutorial_do_what_it_says(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    environment = {name: value for name, value in environment.items() if not name.startswith("WHERRY_")}
    done = subprocess.run(
        ["bash", "-c", script(PAGE.read_text())],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    told = [
        "MIGRATE_SUCCESS",
        "signature right",
        "equal: yes",
        "from while it was moving",
        "equal: no",
        "not equal any more",
    ]
    assert [words for words in told if words not in done.stdout] == []
    assert done.stdout.index("equal: yes") < done.stdout.index("equal: no")
    assert not (tmp_path / "wherry-tour").exists()
