"""The reference of the API's operations, written from the contract.

``python -m tools.api_reference`` writes ``docs/api.md``. A unit test holds the page to the contract.
"""

from pathlib import Path
from typing import Final

import msgspec

from wherry.contract.operations import OperationShape
from wherry.contract.values import Wire
from wherry.server.openapi import SHAPES
from wherry.server.openapi_texts import TAGS, tag_of

WRITTEN: Final = Path(__file__).resolve().parent.parent / "docs" / "api.md"
_HEAD: Final = """\
# The API

Written by `python -m tools.api_reference` from the contract; don't edit it.

A running control plane documents itself: `/openapi.json` is the OpenAPI 3.1 document with every struct, `/explorer`
tries requests out and signs them for you, `/errors` explains every code. Requests carry a token (`X-Auth-Token`) or are
signed with an access key, as the vendor's are. Errors have a code, a cause and a fix ([all codes](error-codes.md));
[who may call what](authorization.md).

What follows is the list of operations. Fields in bold are required.
"""


def render() -> str:
    """Return the page."""
    sections = [_HEAD]
    for tag, about in TAGS:
        rows = [_row(name, shape) for name, shape in SHAPES.items() if tag_of(shape.path) == tag]
        if rows:
            table = "\n".join(["| operation | call | query | body |", "|---|---|---|---|", *rows])
            sections.append(f"## {tag}\n\n{about}\n\n{table}\n")
    return "\n".join(sections)


def _row(name: str, shape: OperationShape) -> str:
    return f"| {name} | `{shape.method} {shape.path}` | {_fields(shape.query)} | {_fields(shape.body)} |"


def _fields(struct: type[Wire] | None) -> str:
    if struct is None:
        return ""
    fields = msgspec.structs.fields(struct)
    return ", ".join(f"**`{field.encode_name}`**" if field.required else f"`{field.encode_name}`" for field in fields)


if __name__ == "__main__":
    WRITTEN.write_text(render(), encoding="utf-8")
