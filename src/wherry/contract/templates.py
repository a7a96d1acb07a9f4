"""Server templates: the targets that a service may create. Disk sizes in GB, bandwidth in Mbit/s."""

from typing import Annotated

from msgspec import Meta, field

from wherry.contract.enumerations import YesNoText
from wherry.contract.values import (
    MAX_ITEMS,
    FilledText,
    HugeText,
    Int32,
    Int64,
    Limit100,
    LongText,
    Offset,
    TemplateName,
    Text,
    Wire,
)

TemplateId = Annotated[str, Meta(min_length=1, max_length=36, pattern=r"^[a-zA-Z0-9\-]{1,36}$(?!\n)")]


class Vpc(Wire, frozen=True, kw_only=True):
    """The network of a template; an id of "autoCreate" has it made."""

    id: FilledText | None = None
    name: FilledText | None = None
    cidr: Text | None = None


class Nic(Wire, frozen=True, kw_only=True):
    """A network card of a template. An incomplete one is refused with SMS.6102, hence all optional here."""

    id: Text | None = None
    name: Text | None = None
    cidr: Text | None = None
    ip: Text | None = None


class SecurityGroup(Wire, frozen=True, kw_only=True):
    """A security group of a template."""

    id: Text | None = None
    name: Text | None = None


class PublicIp(Wire, frozen=True, kw_only=True):
    """The public address of a template."""

    type: Text | None = None
    bandwidth_size: Annotated[int, Meta(ge=0, le=2000)] | None = None
    bandwidth_share_type: Text | None = None


class TemplateDisk(Wire, frozen=True, kw_only=True):
    """A disk of a template. Size in GB, index from 0."""

    index: Int32
    name: Text
    disk_type: Text = field(name="disktype")
    size: Int64
    id: Int64 | None = None
    device_use: Text | None = None


class Template(Wire, frozen=True, kw_only=True):
    """A template as it's written. `is_template` false means: belongs to one task and goes with it."""

    name: TemplateName
    is_template: bool | None = None
    region: Text | None = None
    project_id: Text | None = field(name="projectid", default=None)
    target_server_name: Text | None = None
    availability_zone: Text | None = None
    volume_type: Text | None = field(name="volumetype", default=None)
    flavor: HugeText | None = None
    vpc: Vpc | None = None
    nics: Annotated[list[Nic], Meta(max_length=MAX_ITEMS)] | None = None
    security_groups: Annotated[list[SecurityGroup], Meta(max_length=MAX_ITEMS)] | None = None
    public_ip: PublicIp | None = field(name="publicip", default=None)
    disk: Annotated[list[TemplateDisk], Meta(max_length=MAX_ITEMS)] | None = None
    data_volume_type: Text | None = None
    target_password: LongText | None = None
    image_id: Text | None = None


class TemplateBody(Wire, frozen=True, kw_only=True):
    """Body of CreateTemplate."""

    template: Template


class TemplateUpdate(Wire, frozen=True, kw_only=True):
    """Body of UpdateTemplate; without a template it changes nothing."""

    template: Template | None = None


class TemplateDetail(Wire, frozen=True, kw_only=True):
    """A template as it's read: `is_template` is a text here, and the password stays out."""

    id: str
    name: str
    is_template: YesNoText | None = None
    region: str | None = None
    project_id: str | None = field(name="projectid", default=None)
    target_server_name: str | None = None
    availability_zone: str | None = None
    volume_type: str | None = field(name="volumetype", default=None)
    flavor: str | None = None
    vpc: Vpc | None = None
    nics: list[Nic] | None = None
    security_groups: list[SecurityGroup] | None = None
    public_ip: PublicIp | None = field(name="publicip", default=None)
    disk: list[TemplateDisk] | None = None
    data_volume_type: str | None = None
    target_password: str | None = None
    image_id: str | None = None


class TemplateAnswer(Wire, frozen=True, kw_only=True):
    """Answer of ShowTemplate."""

    template: TemplateDetail


class TemplateList(Wire, frozen=True, kw_only=True):
    """Answer of ListTemplates."""

    count: int
    templates: list[TemplateDetail]


class TemplateIds(Wire, frozen=True, kw_only=True):
    """Body of DeleteTemplates."""

    ids: Annotated[list[Text], Meta(min_length=1, max_length=50)]


class ListTemplatesQuery(Wire, frozen=True, kw_only=True):
    """Filters of ListTemplates."""

    name: Text | None = None
    availability_zone: Text | None = None
    region: Text | None = None
    limit: Limit100 | None = None
    offset: Offset | None = None
    id: TemplateId | None = None


class TargetPassword(Wire, frozen=True, kw_only=True):
    """Answer of ShowTargetPassword."""

    template_id: str
    target_password: str
