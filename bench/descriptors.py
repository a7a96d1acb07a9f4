"""How many connections a process may hold."""

import resource

_SPARE = 256


def allow_connections(count: int) -> None:
    """Let this process, and those that it starts, open *count* connections.

    Raises OSError where the system forbids it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted) if hard >= 0 else hard))
        except ValueError as error:
            raise OSError(f"{count} connections need {wanted} descriptors; the system allows {hard}") from error
