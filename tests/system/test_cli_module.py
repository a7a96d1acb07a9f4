"""The command line as a module, for those who have Python but no `wherry` on their path."""

import subprocess
import sys


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wherry.cli.main", "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wherry ")
    refused = subprocess.run(
        [sys.executable, "-m", "wherry.cli.main", "verify", "/nowhere/proof.json", "disk"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "WHERRY.6002" in refused.stderr
