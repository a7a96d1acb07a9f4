"""A real agent measures the way to a real receiver, when it's asked and before the first start."""

from pathlib import Path

import msgspec

from tests.system.migration_rig import Rig
from wherry.contract.network_check import NetworkCheck


def test_the_network_is_checked_when_it_is_asked_for_and_before_a_start(tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    rig = Rig(tmp_path, disk)
    try:
        rig.start()

        def checked(task_id: str) -> NetworkCheck | None:
            return rig.plane.show_task(task_id).network_check_info

        task_id = rig.create_task(syncing=False)
        assert checked(task_id) is None
        rig.plane.update_task_status(task_id, "network_check")
        found = rig.until("the check", lambda: checked(task_id))
        assert (found.domain_connectivity, found.destination_connectivity) == (True, True)
        assert found.migration_speed > 10
        assert 0 < found.network_delay < 1000
        rig.until("the answer", lambda: rig.plane.show_command(rig.source.id, wait_s=0).command_name != "NETWORK_CHECK")
        assert not list(rig.images.glob("*/disk-*")), "a measurement makes no disk"
        rig.plane.delete_task(task_id)

        # A task that wants it is checked before its first byte is copied.
        wanted = msgspec.structs.replace(rig.creation(syncing=False), start_network_check=True)
        task_id = rig.plane.create_task(wanted)
        rig.plane.update_task_status(task_id, "start")
        rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
        assert checked(task_id) is not None
    finally:
        rig.end()
