"""The options by which agent and receiver are told of their control plane."""

from typing import Annotated

from cyclopts import Parameter

from wherry.client.membership import Membership

Joining = Annotated[Membership, Parameter(name="*", show_default=False)]
"""Each field of a membership as an option of its own: --server, --state, --ca-file, --token-file, --name."""
