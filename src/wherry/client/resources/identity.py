"""The projects that a key reaches, as Keystone's clients know them."""

from wherry.client.calling import Caller
from wherry.client.transport import path_of
from wherry.contract import iam


class IdentityOperations(Caller):
    """The projects that a key reaches, as Keystone's clients know them."""

    def list_projects(self) -> iam.ProjectList:
        """ListProjects."""
        return self._get("ListProjects", path_of("v3", "projects"), iam.ProjectList)
