"""Services that belong to the old machine keep quiet. None of them is removed, but for our own."""

from collections.abc import Iterator
from typing import Final

from wherry.boot.changeset import MakeLink, RemoveFile, WriteFile
from wherry.boot.findings.services import AGENT_UNIT, CLOUD_CONFIG_FOLDER
from wherry.boot.system import System
from wherry.boot.target import TargetMachine

CLOUD_CONFIG: Final = f"{CLOUD_CONFIG_FOLDER}/99_wherry.cfg"

_CLOUD_TEXT: Final = """\
# Written by Wherry when this server was moved: cloud-init's data source stayed behind.
# Remove this file to let cloud-init look for a data source again.
datasource_list: [ None ]
manual_cache_clean: true
preserve_hostname: true
ssh_deletekeys: false
network:
  config: disabled
"""


def keep_cloud_init_quiet(system: System, _target: TargetMachine) -> Iterator[WriteFile]:
    """Keep cloud-init from taking the move for the first start of a new server."""
    cloud = system.cloud_init
    if not cloud.installed or cloud.disabled or cloud.seeded or cloud.datasources == ("None",):
        return
    why = (
        "cloud-init wouldn't find its data source, and would take this for a new server: another host name, new SSH "
        "keys, another network. It stays installed and keeps what it knows."
    )
    yield WriteFile(CLOUD_CONFIG, _CLOUD_TEXT, (why,))


def mask_hypervisor_tools(system: System, _target: TargetMachine) -> Iterator[MakeLink]:
    """Mask the services of the old hypervisor that would fail. Those that look where they are do nothing anyway."""
    for tool in system.tools:
        why = f"It belongs to {tool.hypervisor} and would fail here. `systemctl unmask {tool.unit}` brings it back."
        yield MakeLink(f"/etc/systemd/system/{tool.unit}", "/dev/null", (why,))


def detach_agent(system: System, _target: TargetMachine) -> Iterator[RemoveFile]:
    """Keep the agent from starting in the copy. What enables it then leads to nothing, which systemd passes over."""
    text = system.files.get(AGENT_UNIT)
    if text is not None:
        why = "It holds the key of the server that was moved, and would act for that one: take its commands, report."
        yield RemoveFile(AGENT_UNIT, text, (why,))
