"""Golden files: what commands print, held to what was looked at once.

``WHERRY_RENEW_GOLDEN=1 .venv/bin/pytest tests/unit/test_cli_golden_*.py tests/contract/test_contract_command_line.py``
writes them anew; look at the difference before it's committed.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent
RENEWING = bool(os.environ.get("WHERRY_RENEW_GOLDEN"))


def assert_golden(name: str, text: str) -> None:
    """Compare *text* with the golden file *name*, or write it where they are renewed."""
    path = FOLDER / name
    if RENEWING:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.is_file(), f"there is no golden file {name}; see tests/golden/compare.py"
    assert text == path.read_text(), f"{name} has changed; see tests/golden/compare.py"
