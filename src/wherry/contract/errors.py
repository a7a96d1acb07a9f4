"""The error that travels over the SMS wire: a code of the catalogue, with its status, message, cause and fix."""

from collections.abc import Sequence

from wherry.contract.catalogue import CATALOGUE
from wherry.errors import WherryError


class ApiError(WherryError):
    """A refusal of the control plane with a code of the catalogue.

    Args:
        code: a key of `CATALOGUE`, such as ``SMS.7602``.
        detail: what is wrong in this very case; appended to the catalogue's message.
        status: HTTP status where this case differs from the catalogue's.
        params: values for `error_param` (403) and `error_json`.
    """

    template = "{text}"

    def __init__(self, code: str, detail: str = "", *, status: int | None = None, params: Sequence[str] = ()) -> None:
        entry = CATALOGUE[code]
        text = f"{entry.message}: {detail}" if detail else entry.message
        super().__init__(cause=entry.cause, fix=entry.fix, text=text)
        self.code = code
        self.status = entry.status if status is None else status
        self.params = tuple(params)
