"""Build the agent's bundle: ``python -m tools.agent_bundle FILE``."""

import hashlib
import sys
import tempfile
from pathlib import Path

from tools.agent_bundle.bundle_file import write_bundle
from tools.agent_bundle.folder import fill
from tools.agent_bundle.modules import modules_of


def main() -> int:
    """Build the file that is named by the one argument; print its size and digest."""
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="wherry-bundle-") as place:
        folder = Path(place) / "bundle"
        fill(folder, modules_of())
        write_bundle(folder, target)
    content = target.read_bytes()
    print(f"{target}: {len(content) / 1e6:.1f} MB, SHA-256 {hashlib.sha256(content).hexdigest()}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
