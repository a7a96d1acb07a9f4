"""Templates of servers to be created."""

from wherry.client.calling import Caller
from wherry.client.transport import path_of
from wherry.contract import templates
from wherry.contract.values import CreatedId

_TEMPLATES = ("v3", "vm", "templates")


class TemplateOperations(Caller):
    """Templates of servers to be created."""

    def create_template(self, template: templates.Template) -> str:
        """CreateTemplate: return the id of the template. Not tried again once it may have arrived."""
        body = templates.TemplateBody(template=template)
        return self._post("CreateTemplate", path_of(*_TEMPLATES), body, CreatedId, repeatable=False).id

    def list_templates(self, **filters: object) -> templates.TemplateList:
        """ListTemplates; *filters* are the operation's query parameters."""
        return self._get("ListTemplates", path_of(*_TEMPLATES), templates.TemplateList, filters)

    def show_template(self, template_id: str) -> templates.TemplateDetail:
        """ShowTemplate."""
        return self._get("ShowTemplate", path_of(*_TEMPLATES, template_id), templates.TemplateAnswer).template

    def update_template(self, template_id: str, template: templates.Template) -> None:
        """UpdateTemplate: the whole template in place of the old one."""
        self._put(path_of(*_TEMPLATES, template_id), templates.TemplateUpdate(template=template))

    def delete_template(self, template_id: str) -> None:
        """DeleteTemplate."""
        self._delete(path_of(*_TEMPLATES, template_id))
