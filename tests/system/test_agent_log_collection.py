"""A real agent hands its log in when it's asked, while it has nothing else to do."""

import gzip
import json
from pathlib import Path

from tests.contract.running import Raw
from tests.system.migration_rig import Rig


def test_the_log_of_a_running_agent_arrives(tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    rig = Rig(tmp_path, disk)
    try:
        rig.start()
        task_id = rig.create_task(syncing=False)
        raw = Raw(rig.server())
        raw.post(f"/v3/tasks/{task_id}/log", {"log_bucket": "any"})

        def status() -> str:
            answer = raw.signed("GET", "/v3/tasks", query=f"id={task_id}")
            return str(answer.json()["tasks"][0]["log_collect_status"])

        rig.until("the log", lambda: status() == "UPLOADED")
        lines = gzip.decompress(raw.signed("GET", f"/wherry/v1/tasks/{task_id}/log").content).decode().splitlines()
        about, *events = (json.loads(line) for line in lines)
        assert (about["source_id"], about["task_id"]) == (rig.source.id, task_id)
        assert "registered" in {event["event"] for event in events}
        secret = json.loads((tmp_path / "agent" / "credentials.json").read_text())["secret_key"]
        assert secret not in "\n".join(lines)
        raw.signed("DELETE", f"/wherry/v1/tasks/{task_id}/log")
        rig.until("the end of the sharing", lambda: status() == "INIT")
        raw.close()
    finally:
        rig.end()
