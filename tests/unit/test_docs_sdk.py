"""The code of the page about SDKs makes a task that the control plane takes."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from huaweicloudsdkcore.utils.http_utils import sanitize_for_serialization

from tests.unit.server_harness import Harness, created, registration, run

PAGE = Path(__file__).parents[2] / "docs" / "sdk-and-terraform.md"


def code_of_the_page() -> dict[str, Any]:
    """Return what the page's blocks of Python define."""
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        exec(block, names)
    return names


def test_the_task_of_the_page_is_taken(tmp_path: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source_id = await created(admin, "/v3/sources", registration("web-01"))
        shown = (await admin.get(f"/v3/sources/{source_id}")).text
        source = json.loads(shown, object_hook=lambda fields: SimpleNamespace(**fields))
        body = sanitize_for_serialization(code_of_the_page()["task_for"](source, "p", "home"))
        task_id = await created(admin, "/v3/tasks", body)
        task = (await admin.get(f"/v3/tasks/{task_id}")).json()
        assert (task["name"], task["state"], task["syncing"]) == ("move-web-01", "READY", True)
        assert [disk["size"] for disk in task["target_server"]["disks"]] == [2 * 10**9]

    run(tmp_path / "data", check)


def test_the_client_of_the_page_is_for_the_control_plane(tmp_path: Path) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("")
    admin = tmp_path / "admin.json"
    admin.write_text(
        f'{{"endpoint": "https://control.example:8443", "ca_file": "{certificate}", "access_key": "A",'
        ' "secret_key": "S", "project_id": "p"}'
    )
    client = code_of_the_page()["client_of"](str(admin))
    assert client.get_credentials().ak == "A"
