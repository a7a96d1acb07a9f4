"""Entries of the error catalogue."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """A code that travels over HTTP, with everything that a person needs to act on it.

    `status` is the HTTP status when the code is the answer to a request; codes that only ever stand in a task's
    error_json or in an environment check carry 400.
    """

    code: str
    status: int
    message: str
    cause: str
    fix: str


@dataclass(frozen=True, slots=True)
class ProgramEntry:
    """A code that a program of Wherry's gives, with everything that a person needs to act on it.

    In `message`, ``<name>`` stands for what each case fills in.
    """

    code: str
    message: str
    cause: str
    fix: str
