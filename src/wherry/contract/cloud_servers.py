"""The one answer of ECS that clients of SMS look at: a target server. Times as ISO 8601 in UTC.

Source: the ECS API reference, "Querying Details About an ECS"; the fields are those that Terraform's golangsdk reads.
"""

from msgspec import field

from wherry.contract.values import Wire


class Flavor(Wire, frozen=True, kw_only=True):
    """The size of a server, all as texts: `disk` in GiB, `ram` in MiB."""

    id: str
    name: str
    vcpus: str
    ram: str
    disk: str


class Address(Wire, frozen=True, kw_only=True):
    """An address of a server. `version` is "4" or "6"."""

    version: str
    addr: str
    kind: str = field(name="OS-EXT-IPS:type")
    mac_addr: str = field(name="OS-EXT-IPS-MAC:mac_addr")
    port_id: str = field(name="OS-EXT-IPS:port_id")


class AttachedVolume(Wire, frozen=True, kw_only=True):
    """A disk of a server. `boot_index` is "0" for the disk that it boots from, and "" for the others."""

    id: str
    device: str
    boot_index: str = field(name="bootIndex")
    delete_on_termination: str


class ImageReference(Wire, frozen=True, kw_only=True):
    """The image that a server was made from; empty, since a migrated server has none."""

    id: str


class CloudServer(Wire, frozen=True, kw_only=True):
    """A target server."""

    id: str
    name: str
    status: str
    addresses: dict[str, list[Address]]
    created: str
    updated: str
    tenant_id: str
    user_id: str
    description: str
    flavor: Flavor
    image: ImageReference
    metadata: dict[str, str]
    tags: list[str]
    security_groups: list[dict[str, str]]
    key_name: str
    enterprise_project_id: str
    config_drive: str
    locked: bool
    progress: int
    host_id: str = field(name="hostId")
    host_status: str
    access_ipv4: str = field(name="accessIPv4")
    access_ipv6: str = field(name="accessIPv6")
    availability_zone: str = field(name="OS-EXT-AZ:availability_zone")
    host: str = field(name="OS-EXT-SRV-ATTR:host")
    hostname: str = field(name="OS-EXT-SRV-ATTR:hostname")
    instance_name: str = field(name="OS-EXT-SRV-ATTR:instance_name")
    root_device_name: str = field(name="OS-EXT-SRV-ATTR:root_device_name")
    power_state: int = field(name="OS-EXT-STS:power_state")
    vm_state: str = field(name="OS-EXT-STS:vm_state")
    volumes_attached: list[AttachedVolume] = field(name="os-extended-volumes:volumes_attached")


class CloudServerAnswer(Wire, frozen=True, kw_only=True):
    """Answer of GET /v1/{project_id}/cloudservers/{server_id}."""

    server: CloudServer
