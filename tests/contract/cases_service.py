"""Each operation on templates, migration projects and the service as a whole: what is written is read back."""

import os
from typing import Any
from uuid import uuid4

from tests.contract.exercise import ID, Exercise, Like
from tests.contract.filling import Filling, Json, fill
from tests.contract.migrations import create, register, registration, template_body

TEXTS = Like("texts", lambda value: bool(value) and all(isinstance(text, str) and text for text in value.values()))


def create_template(exercise: Exercise, filling: Filling) -> None:
    body = template_body(filling)
    template_id = exercise.call("CreateTemplate", {"id": ID}, body=body)["id"]
    exercise.call("ShowTemplate", {"template": _shown_template(body, template_id)}, id=template_id)


def list_templates(exercise: Exercise, filling: Filling) -> None:
    body = template_body(filling)
    template_id = exercise.call("CreateTemplate", body=body)["id"]
    template = body["template"]
    found = {"count": 1, "templates": [_shown_template(body, template_id)]}
    own: Json = {"id": template_id, "limit": 100, "offset": 0}
    filters: Json = {
        "name": template["name"],
        "region": template["region"],
        "availability_zone": template["availability_zone"],
    }
    exercise.call("ListTemplates", found, **filters, **own)
    for name, value in filters.items():
        exercise.call("ListTemplates", found, **{name: value}, **own)
        fails: Json = {name: "none is called that"}
        exercise.call("ListTemplates", {"count": 0, "templates": []}, **fails, **own)
    exercise.call("ListTemplates", {"count": 1, "templates": []}, id=template_id, offset=1)


def update_template(exercise: Exercise, filling: Filling) -> None:
    template_id = exercise.call("CreateTemplate", body=template_body(Filling.USUAL))["id"]
    body = fill("UpdateTemplateReq", filling, {"template.name": f"renamed-{uuid4()}"})
    exercise.call("UpdateTemplate", body=body, id=template_id)
    exercise.call("ShowTemplate", {"template": _shown_template(body, template_id)}, id=template_id)
    secret = {"template_id": template_id, "target_password": body["template"]["target_password"]}
    exercise.call("ShowTargetPassword", secret, id=template_id)
    assert exercise.raw.put(f"/v3/vm/templates/{template_id}", {}) == {}, "a template is optional here"
    exercise.call("ShowTemplate", {"template": _shown_template(body, template_id)}, id=template_id)


def delete_template(exercise: Exercise, filling: Filling) -> None:
    used, unused = (exercise.call("CreateTemplate", body=template_body(filling))["id"] for _ in range(2))
    create(exercise, filling, vm_template_id=used)
    exercise.call("DeleteTemplate", id=unused)
    gone = exercise.raw.signed("GET", f"/v3/vm/templates/{unused}")
    assert (gone.status_code, gone.json()["error_code"]) == (404, "SMS.7101")
    refused = exercise.raw.signed("DELETE", f"/v3/vm/templates/{used}")
    assert (refused.status_code, refused.json()["error_code"]) == (400, "SMS.7111")


def delete_templates(exercise: Exercise, filling: Filling) -> None:
    ids = [exercise.call("CreateTemplate", body=template_body(filling))["id"] for _ in range(3)]
    exercise.call("DeleteTemplates", body={"ids": ids[:2]})
    statuses = [exercise.raw.signed("GET", f"/v3/vm/templates/{each}").status_code for each in ids]
    assert statuses == [404, 404, 200]


def show_target_password(exercise: Exercise, filling: Filling) -> None:
    body = template_body(filling)
    template_id = exercise.call("CreateTemplate", body=body)["id"]
    secret = {"template_id": template_id, "target_password": body["template"]["target_password"]}
    exercise.call("ShowTargetPassword", secret, id=template_id)


def create_migproject(exercise: Exercise, filling: Filling) -> None:
    body = _project(filling)
    project_id = exercise.call("CreateMigproject", {"id": ID}, body=body)["id"]
    exercise.call("ShowMigproject", body, mig_project_id=project_id)
    exercise.call("DeleteMigproject", mig_project_id=project_id)


def list_migprojects(exercise: Exercise, filling: Filling) -> None:
    body = _project(filling)
    project_id = exercise.call("CreateMigproject", body=body)["id"]
    count = exercise.call("ListMigprojects")["count"]
    found: list[Json] = []
    while page := exercise.call("ListMigprojects", limit=2, offset=len(found))["migprojects"]:
        found += page
    assert len(found) == len({each["id"] for each in found}) == count
    assert [each["name"] for each in found if each["isdefault"]] == ["SystemProject"]
    place = [each["id"] for each in found].index(project_id)
    expected = {"count": count, "migprojects": [{**body, "id": project_id}]}
    exercise.call("ListMigprojects", expected, limit=1, offset=place)
    exercise.call("DeleteMigproject", mig_project_id=project_id)


def update_migproject(exercise: Exercise, filling: Filling) -> None:
    project_id = exercise.call("CreateMigproject", body=_project(Filling.USUAL))["id"]
    body = fill("MigProject", filling, {"name": f"renamed-{uuid4()}", "isdefault": False})
    exercise.call("UpdateMigproject", body=body, mig_project_id=project_id)
    exercise.call("ShowMigproject", body, mig_project_id=project_id)
    assert exercise.raw.put(f"/v3/migprojects/{project_id}", {"description": "changed"}) == {}
    exercise.call("ShowMigproject", {**body, "description": "changed"}, mig_project_id=project_id)
    exercise.call("DeleteMigproject", mig_project_id=project_id)


def update_default_migproject(exercise: Exercise, filling: Filling) -> None:
    body = _project(filling)
    project_id = exercise.call("CreateMigproject", body=body)["id"]
    former = _defaults(exercise)
    exercise.call("UpdateDefaultMigproject", mig_project_id=project_id)
    try:
        exercise.call("ShowMigproject", {**body, "isdefault": True}, mig_project_id=project_id)
        assert _defaults(exercise) == [project_id]
        source_id = register(exercise, registration(filling))
        found = exercise.call("ListServers", migproject=project_id)
        assert [server["id"] for server in found["source_servers"]] == [source_id]
        refused = exercise.raw.signed("DELETE", f"/v3/migprojects/{project_id}")
        assert refused.status_code == 400, "it's the default"
    finally:
        exercise.call("UpdateDefaultMigproject", mig_project_id=former[0])
    assert _defaults(exercise) == former
    refused = exercise.raw.signed("DELETE", f"/v3/migprojects/{project_id}")
    assert refused.status_code == 400, "it has a server"
    exercise.call("DeleteServer", source_id=source_id)
    exercise.call("DeleteMigproject", mig_project_id=project_id)


def delete_migproject(exercise: Exercise, filling: Filling) -> None:
    project_id = exercise.call("CreateMigproject", body=_project(filling))["id"]
    exercise.call("DeleteMigproject", mig_project_id=project_id)
    assert exercise.raw.signed("GET", f"/v3/migprojects/{project_id}").status_code == 404
    assert exercise.raw.signed("DELETE", f"/v3/migprojects/{project_id}").status_code == 404


def show_config(exercise: Exercise, _filling: Filling) -> None:
    shown = exercise.call("ShowConfig", {"config": TEXTS, "regions": Like("maps", lambda maps: len(maps) >= 1)})
    assert shown["config"].keys() >= {"mainRegion", "obs_domain", "disktype"}
    for region in shown["regions"]:
        assert TEXTS.fits(region)
        assert region.keys() >= {"region_name", "project_name"}


def privacy_agreements(exercise: Exercise, _filling: Filling) -> None:
    exercise.call("CreatePrivacyAgreements")
    exercise.call("ShowPrivacyAgreements", {"flag": True})


def versions(exercise: Exercise, _filling: Filling) -> None:
    link = {"rel": "self", "href": Like("an address", lambda text: text.startswith("https://"))}
    version = {"id": "v3", "links": [link], "status": "SUPPORTED", "updated": "2020-09-02T17:50:00Z"}
    exercise.call("ListApiVersion", {"versions": [version]})
    exercise.call("ShowApiVersion", version, version="v3")


def _project(filling: Filling) -> Json:
    return fill("PostMigProjectBody", filling, {"name": f"p-{os.urandom(4).hex()}", "isdefault": False})


def _defaults(exercise: Exercise) -> list[str]:
    projects = exercise.call("ListMigprojects", limit=100)["migprojects"]
    return [project["id"] for project in projects if project["isdefault"]]


def _shown_template(body: Json, template_id: str) -> dict[str, Any]:
    template = body["template"]
    flag = "true" if template["is_template"] else "false"
    return {**template, "id": template_id, "is_template": flag, "target_password": None}
