"""`wherry template`: templates of servers to be created."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter

from wherry.cli.asking import USUAL, Asking
from wherry.cli.batch import do_each, tell
from wherry.cli.confirming import Yes, confirm
from wherry.cli.errors import FileUnreadable
from wherry.cli.fleet import find_template, find_templates
from wherry.cli.output import Column, facts, show, table
from wherry.contract.templates import Template, TemplateDetail, TemplateDisk, TemplateList

app = App(name="template")

_COLUMNS: Final = (
    Column[TemplateDetail]("name", lambda each: each.name),
    Column[TemplateDetail]("id", lambda each: each.id),
    Column[TemplateDetail]("flavor", lambda each: each.flavor),
    Column[TemplateDetail]("zone", lambda each: each.availability_zone),
    Column[TemplateDetail]("region", lambda each: each.region),
    Column[TemplateDetail]("disks", lambda each: ", ".join(f"{disk.size} GB" for disk in each.disk or ())),
)


@app.command(name="list")
def list_templates(*templates: str, asking: Asking = USUAL) -> None:
    """List templates.

    Parameters
    ----------
    templates:
        Ids, names, or patterns; all without one.
    """
    with asking.connect() as plane:
        found = find_templates(plane, templates)
    show(TemplateList(count=len(found), templates=found), table(_COLUMNS, found), json=asking.json)


@app.command(name="show")
def show_template(template: str, /, *, asking: Asking = USUAL) -> None:
    """Show a template.

    Parameters
    ----------
    template:
        Its id or its name.
    """
    with asking.connect() as plane:
        found = plane.show_template(find_template(plane, template).id)
    shown = facts(
        ("name", found.name),
        ("id", found.id),
        ("flavor", found.flavor),
        ("zone", found.availability_zone),
        ("region", found.region),
        ("volumes", found.volume_type),
        ("disks", ", ".join(f"{disk.name} {disk.size} GB {disk.disk_type}" for disk in found.disk or ())),
        ("network", None if found.vpc is None else found.vpc.name or found.vpc.id),
        ("cards", ", ".join(nic.name or nic.id or "" for nic in found.nics or ())),
        ("image", found.image_id),
    )
    show(found, shown, json=asking.json)


@app.command
def create(
    name: str,
    /,
    *,
    file: Path | None = None,
    flavor: str | None = None,
    zone: str | None = None,
    region: str | None = None,
    volume_type: str | None = None,
    disk: Annotated[tuple[int, ...], Parameter(negative="")] = (),
    asking: Asking = USUAL,
) -> None:
    """Make a template.

    Parameters
    ----------
    name:
        Name of the template.
    file:
        File with a template as JSON, as the API takes it; the other options come before what it says.
    flavor:
        Kind of the machine.
    zone:
        Availability zone.
    region:
        Region.
    volume_type:
        Kind of its volumes, such as SSD.
    disk:
        Size of a disk in GB; may be given many times.
    """
    said = {
        "name": name,
        "is_template": True,
        "flavor": flavor,
        "availability_zone": zone,
        "region": region,
        "volume_type": volume_type,
        "disk": [
            TemplateDisk(index=number, name=f"disk {number}", disk_type=volume_type or "", size=size)
            for number, size in enumerate(disk)
        ]
        or None,
    }
    wanted = msgspec.structs.replace(
        read_template(file, name), **{field: value for field, value in said.items() if value is not None}
    )
    with asking.connect() as plane:
        made = plane.create_template(wanted)
        shown = plane.show_template(made)
    show(shown, made, json=asking.json)


@app.command
def update(template: str, file: Path, /, *, asking: Asking = USUAL) -> None:
    """Replace a template by what a file says.

    Parameters
    ----------
    template:
        Its id or its name.
    file:
        File with the template as JSON, as the API takes it.
    """
    with asking.connect() as plane:
        found = find_template(plane, template)
        plane.update_template(found.id, read_template(file, found.name))


@app.command
def delete(template: str, /, *templates: str, yes: Yes = False, asking: Asking = USUAL) -> int:
    """Delete templates.

    Parameters
    ----------
    template:
        Id, name, or pattern.
    templates:
        More of them.
    yes:
        Don't ask.
    """
    with asking.connect() as plane:
        found = find_templates(plane, (template, *templates))
        confirm("Deleting the template(s)", [each.name for each in found], yes=yes)
        outcomes = do_each(found, lambda each: plane.delete_template(each.id), lambda each: (each.id, each.name))
    return tell(outcomes, json=asking.json)


def read_template(path: Path | None, name: str) -> Template:
    """Return the template in a file, an empty one without a file; *name* where it has none. Raises FileUnreadable."""
    if path is None:
        return Template(name=name)
    try:
        return msgspec.convert({"name": name, **msgspec.json.decode(path.read_bytes(), type=dict)}, Template)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FileUnreadable(path=path, what="a template", reason=str(error)) from error
