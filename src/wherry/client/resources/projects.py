"""Migration projects: groups of sources with common settings."""

from wherry.client.calling import Caller
from wherry.client.transport import path_of
from wherry.contract import projects
from wherry.contract.values import CreatedId


class ProjectOperations(Caller):
    """Migration projects: groups of sources with common settings."""

    def create_migproject(self, creation: projects.MigprojectCreation) -> str:
        """CreateMigproject: return the id of the project. Not tried again once it may have arrived."""
        return self._post("CreateMigproject", path_of("v3", "migprojects"), creation, CreatedId, repeatable=False).id

    def list_migprojects(self, **filters: object) -> projects.MigprojectList:
        """ListMigprojects; *filters* are the operation's query parameters."""
        return self._get("ListMigprojects", path_of("v3", "migprojects"), projects.MigprojectList, filters)

    def show_migproject(self, project_id: str) -> projects.MigprojectDetail:
        """ShowMigproject."""
        return self._get("ShowMigproject", path_of("v3", "migprojects", project_id), projects.MigprojectDetail)

    def update_migproject(self, project_id: str, update: projects.MigprojectUpdate) -> None:
        """UpdateMigproject: what isn't sent stays."""
        self._put(path_of("v3", "migprojects", project_id), update)

    def update_default_migproject(self, project_id: str) -> None:
        """UpdateDefaultMigproject: sources that register from now on belong to this one."""
        self._put(path_of("v3", "migprojects", project_id, "default"), {})

    def delete_migproject(self, project_id: str) -> None:
        """DeleteMigproject."""
        self._delete(path_of("v3", "migprojects", project_id))
