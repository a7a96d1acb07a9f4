"""The base of all wire structs, and the limited values that their fields are made of.

Every struct forgets nothing and adds nothing: a field that wasn't sent stays None and is left out again when the struct
is written, so that reads give back exactly what was written. Null counts as "not sent", unknown fields are ignored.
Limits come from the protocol reference, "constraints". Sizes are in bytes, times in epoch milliseconds, unless a field
says otherwise.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
MAX_ITEMS = 65535

Text = Annotated[str, Meta(max_length=255)]
FilledText = Annotated[str, Meta(min_length=1, max_length=255)]
ShortText = Annotated[str, Meta(max_length=100)]
LongText = Annotated[str, Meta(max_length=1024)]
TraceText = Annotated[str, Meta(max_length=2048)]
IdListText = Annotated[str, Meta(max_length=16384)]
HugeText = Annotated[str, Meta(max_length=65535)]
PathId = Annotated[str, Meta(min_length=1, max_length=36)]

Int32 = Annotated[int, Meta(ge=0, le=INT32_MAX)]
Int64 = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Count16 = Annotated[int, Meta(ge=0, le=65535)]
PercentInt = Annotated[int, Meta(ge=0, le=100)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Rate = Annotated[float, Meta(ge=0, le=10000)]
Memory = Annotated[float, Meta(ge=0, le=1048576)]
SpeedMbit = Annotated[int, Meta(ge=0, le=1000)]
Threshold = Annotated[float, Meta(ge=10, le=100)]
Offset = Annotated[int, Meta(ge=0, le=65535)]
Limit100 = Annotated[int, Meta(ge=0, le=100)]
Limit200 = Annotated[int, Meta(ge=0, le=200)]

# A lone `$` lets a final line feed pass in Python, and JSON Schema knows no other anchor than `$`.
MigprojectName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[\u4e00-\u9fa5\-_0-9a-zA-Z]+$(?!\n)")]
TaskName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_\-\u4e00-\u9fa5]{1,64}$(?!\n)")]
TemplateName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\u4e00-\u9fa5\-_0-9a-zA-Z]+$(?!\n)")]


class Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of everything that travels as a JSON object."""


class Empty(Wire, frozen=True, kw_only=True):
    """The answer of operations that only say "done"."""


class CreatedId(Wire, frozen=True, kw_only=True):
    """The answer of operations that made or changed one thing: its id."""

    id: str
