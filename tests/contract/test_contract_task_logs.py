"""The collection of a log from end to end: ordered by the vendor's client, handed in, fetched, closed."""

import gzip

import pytest
from huaweicloudsdksms import v3
from huaweicloudsdksms.v3 import SmsClient
from huaweicloudsdksms.v3.model.task_by_server_sources import TaskByServerSources
from msgspec import convert

from tests.contract import documents
from tests.contract.people import READ_ONLY, make_user
from tests.contract.running import Raw
from wherry.client.control_plane import ControlPlane
from wherry.client.errors import ControlPlaneError
from wherry.contract.sources import Registration
from wherry.contract.task_log import AgentLog

TEXT = b'{"event": "the agent said so"}\n'
LOG = AgentLog(taken_at=1_760_000_000_000, content=gzip.compress(TEXT))


def current(sdk: SmsClient, source_id: str) -> TaskByServerSources:
    return sdk.list_servers(v3.ListServersRequest(id=source_id)).source_servers[0].current_task


def test_a_log_is_collected_and_closed(raw: Raw, sdk: SmsClient, agent: ControlPlane) -> None:
    source_id = agent.register_server(convert(documents.registration("log"), Registration))
    task_id = raw.post("/v3/tasks", documents.task(source_id))["id"]
    body = v3.UploadLogRequestBody(log_bucket="a-bucket")
    sdk.collect_log(v3.CollectLogRequest(task_id=task_id, body=body))
    now = current(sdk, source_id)
    assert (now.log_collect_status, now.log_bucket, now.log_share_url) == ("UPLOADING", "a-bucket", None)

    command = agent.show_command(source_id, wait_s=0)
    assert (command.command_name, command.command_param.bucket) == ("UPLOAD_LOG", "a-bucket")
    agent.store_log(task_id, LOG)
    agent.update_command_result(source_id, "UPLOAD_LOG", "success", {"task_id": task_id})
    now = current(sdk, source_id)
    assert (now.log_collect_status, now.log_expire) == ("UPLOADED", 64800)
    assert now.log_upload_time > 1_700_000_000_000

    # The link leads whoever may read the task to the log, and nobody else.
    path = f"/wherry/v1/tasks/{task_id}/log"
    assert now.log_share_url.endswith(path)
    reader, stranger = make_user(raw, "log-reader", READ_ONLY), make_user(raw, "log-stranger")
    assert gzip.decompress(raw.signed("GET", path, key=reader.key).content) == TEXT
    assert raw.signed("GET", path, key=stranger.key).status_code == 403
    assert raw.bare("GET", path).status_code == 401
    assert raw.signed("DELETE", path, key=reader.key).status_code == 403

    assert raw.signed("DELETE", path).json() == {}
    assert raw.signed("GET", path).status_code == 404
    assert current(sdk, source_id).log_share_url is None
    command = agent.show_command(source_id, wait_s=0)
    assert (command.command_name, command.command_param.bucket) == ("RSET_LOG_ACL", "a-bucket")
    agent.update_command_result(source_id, "RSET_LOG_ACL", "success", {})
    now = current(sdk, source_id)
    assert (now.log_collect_status, now.log_bucket, now.log_upload_time) == ("INIT", None, None)


def test_an_agent_hands_in_its_own_log_only(raw: Raw, task_id: str, agent: ControlPlane) -> None:
    agent.register_server(convert(documents.registration("other"), Registration))
    raw.post(f"/v3/tasks/{task_id}/log", {"log_bucket": "b"})
    with pytest.raises(ControlPlaneError) as caught:
        agent.store_log(task_id, LOG)
    assert (caught.value.status, caught.value.code) == (403, "SMS.9004")
    assert raw.signed("GET", f"/wherry/v1/tasks/{task_id}/log").status_code == 404


def test_an_agent_of_another_maker_uses_the_bucket(raw: Raw, sdk: SmsClient, task_id: str, source_id: str) -> None:
    raw.post(f"/v3/tasks/{task_id}/log", {"log_bucket": "b"})
    report = {"command_name": "UPLOAD_LOG", "result": "success", "result_detail": {"object": "log.tar.gz"}}
    raw.post(f"/v3/sources/{source_id}/command_result", report)
    now = current(sdk, source_id)
    assert (now.log_collect_status, now.log_bucket, now.log_share_url, now.log_expire) == ("UPLOADED", "b", None, None)
