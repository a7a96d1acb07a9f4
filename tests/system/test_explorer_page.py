"""The API explorer in a real browser: it signs, sends, keeps secrets to itself, and serves keyboards and phones."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException
from huaweicloudsdksms import v3

from tests.system.chromium import BROWSER, FOREIGN_NAME, running_browser
from tests.system.serve_process import ServeProcess, launch, registration, start, task
from wherry.contract.catalogue import CATALOGUE

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")

# Vector 1 of the protocol reference, 3.4, and the same in the words of the page.
VECTOR = """async () => {
  const { authorization } = await import("/explorer/signing.js");
  const body = '{"command_name": "START", "result": "success", "result_detail": {"msg": "ok"}}';
  const headers = {"content-type": "application/json", host: "sms.example.test:8080", "x-project-id": "p1",
                   "x-sdk-date": "20260128T093000Z"};
  const request = {method: "POST", path: "/v3/sources/srv-1/command_result", query: "", headers, body};
  return authorization(request, "EXAMPLEAK", "EXAMPLESK");
}"""
SIGNATURE = "5fe9afcfd92bb230045249538b09e3984cd7ccbf4f28ed83a078d6376b3fe49b"
QUERY_VECTOR = """async () => {
  const { authorization, queryString } = await import("/explorer/signing.js");
  const headers = {"content-type": "application/json", host: "sms.example.test:8080", "x-sdk-date": "20260128T093000Z"};
  const query = queryString([["limit", "10"], ["name", "a b/ü"], ["connected", "true"]]);
  return authorization({method: "GET", path: "/v3/sources", query, headers, body: ""}, "EXAMPLEAK", "EXAMPLESK");
}"""
QUERY_SIGNATURE = "f08004bef5992366c98513901fb84688d0689ce0adb671775c8bd7a111bc9ab9"
BOTH_HASHES = """async () => {
  const { OWN_HASHES, BROWSER_HASHES } = await import("/explorer/signing.js");
  const differing = [];
  for (const length of [0, 1, 3, 54, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 1000, 100003]) {
    const bytes = Uint8Array.from({length}, (_, index) => (index * 31 + length) % 256);
    const key = bytes.slice(0, 200);
    const pairs = [[await OWN_HASHES.digest(bytes), await BROWSER_HASHES.digest(bytes)]];
    if (length) pairs.push([await OWN_HASHES.hmac(key, bytes), await BROWSER_HASHES.hmac(key, bytes)]);
    if (pairs.some(([own, theirs]) => own.join() !== theirs.join())) differing.push(length);
  }
  return differing;
}"""
SAMPLES = """async ([language, known]) => {
  const { load } = await import("/explorer/api.js");
  const { Form } = await import("/explorer/form.js");
  const { sample } = await import("/explorer/samples.js");
  const { api } = await load();
  return Object.fromEntries(api.operations.map((operation) => {
    const form = new Form(operation, new Map(Object.entries(known)), () => {});
    for (const field of form.fields) {
      if (field.name === "limit") field.input.value = "7";
      if (field.name === "connected") field.input.value = "true";
      if (field.name === "state") field.input.selectedIndex = 2;
    }
    return [operation.id, sample(language, operation, form.request(), location.origin)];
  }));
}"""
STORED = """() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href,
                        document.documentElement.outerHTML])"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    running = start(tmp_path_factory.mktemp("explorer") / "data")
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_browser(tmp_path_factory.mktemp("home")) as browser:
        yield browser


@pytest.fixture
def page(browser: Any, server: ServeProcess) -> Iterator[Any]:
    """The explorer over TLS. What the browser complains about, a breach of the policy above all, fails the test."""
    yield from opened(browser, server.admin["endpoint"])


def opened(browser: Any, origin: str, **options: Any) -> Iterator[Any]:
    context = browser.new_context(ignore_https_errors=True, **options)
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{origin}/explorer")
    page.wait_for_selector("#groups a")
    yield page
    context.close()
    # A refusal that a test provokes is told by the browser as well.
    assert [text for text in complaints if "the server responded with a status of" not in text] == []


def choose(page: Any, operation: str) -> None:
    page.evaluate("(id) => { location.hash = id; }", operation)
    page.wait_for_selector(f"h1:text-is('{operation}')")


def enter_key(page: Any, server: ServeProcess) -> None:
    if not page.locator("#credentials").evaluate("(panel) => panel.open"):
        page.click("#credentials > summary")
    page.fill("[name=access_key]", server.admin["access_key"])
    page.fill("[name=secret_key]", server.admin["secret_key"])


def send(page: Any) -> tuple[str, str]:
    """Send the form; return the status line's first words and the body."""
    page.evaluate("() => document.querySelectorAll('.answer').forEach((answer) => answer.remove())")
    page.click("button.main")
    page.wait_for_selector(".answer")
    code = page.locator(".answer pre")
    return page.inner_text(".answer .status-line strong"), code.inner_text() if code.count() else ""


def test_a_request_signed_by_the_page_is_accepted(page: Any, server: ServeProcess) -> None:
    choose(page, "RegisterServer")
    enter_key(page, server)
    status, body = send(page)
    assert status == "200 OK", body
    source_id = json.loads(body)["id"]
    choose(page, "ShowServer")
    assert page.input_value("#field-path-source_id") == source_id, "the id that was just seen is offered"
    status, body = send(page)
    assert (status, json.loads(body)["id"]) == ("200 OK", source_id)
    choose(page, "CreateTask")
    assert json.loads(page.input_value("#body"))["source_server"]["id"] == source_id
    status, body = send(page)
    assert status == "200 OK", body
    choose(page, "ListTasks")
    page.fill("#field-query-name", "move web/01 (ü) *'!")
    status, body = send(page)
    assert (status, json.loads(body)["count"]) == ("200 OK", 0), "odd characters in a query are signed as they are sent"


def test_without_the_browsers_cryptography_the_page_signs_by_itself(browser: Any, tmp_path: Path) -> None:
    running = launch(tmp_path / "data", listen="127.0.0.1:0", options=["--no-tls"])
    try:
        origin = plain_origin(running)
        for page in opened(browser, origin):
            assert page.evaluate("() => crypto.subtle === undefined")
            choose(page, "RegisterServer")
            enter_key(page, running)
            assert send(page)[0] == "200 OK"
            assert SIGNATURE in page.evaluate(VECTOR)
    finally:
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(15) == 0


def plain_origin(running: ServeProcess) -> str:
    """Wait until it's served; return its address under a name that isn't localhost's."""
    for _ in range(400):
        if '"event": "serving"' in running.log.read_text():
            return running.admin["endpoint"].replace("127.0.0.1", FOREIGN_NAME)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(0.05)
    raise AssertionError(running.log.read_text())


def test_signatures_and_hashes_are_right(page: Any) -> None:
    assert page.evaluate(VECTOR).endswith(f"Signature={SIGNATURE}")
    assert page.evaluate(QUERY_VECTOR).endswith(f"Signature={QUERY_SIGNATURE}")
    assert page.evaluate(BOTH_HASHES) == []


def test_a_token_is_fetched_and_used(page: Any, server: ServeProcess) -> None:
    admin = server.admin
    user = {"name": admin["user_name"], "password": admin["password"], "domain": {"name": admin["domain_name"]}}
    choose(page, "CreateToken")
    page.fill("#body", json.dumps({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}))
    assert send(page)[0] == "201 Created"
    assert page.inner_text("#credentials-summary") == "a token"
    choose(page, "ShowOverview")
    assert send(page)[0] == "200 OK"


def test_a_refusal_shows_what_why_and_what_to_do(page: Any, server: ServeProcess) -> None:
    choose(page, "ShowTask")
    page.fill("#field-path-task_id", "4711")
    assert send(page)[0] == "Not sent", "nothing is sent without credentials"
    enter_key(page, server)
    status, body = send(page)
    assert status == "404 Not Found"
    code = json.loads(body)["error_code"]
    shown = page.inner_text(".refusal")
    assert CATALOGUE[code].cause in shown
    assert CATALOGUE[code].fix in shown
    assert page.get_attribute(".refusal a", "href") == f"/errors/{code}"


def test_secrets_are_kept_in_memory_only(page: Any, server: ServeProcess) -> None:
    choose(page, "ListServers")
    enter_key(page, server)
    assert send(page)[0] == "200 OK"
    assert server.admin["secret_key"] not in page.evaluate(STORED)
    page.reload()
    page.wait_for_selector("h1:text-is('ListServers')")
    assert page.input_value("[name=secret_key]") == page.input_value("[name=access_key]") == ""
    page.fill("[name=secret_key]", "a secret", force=True)
    page.goto(f"{server.admin['endpoint']}/errors")
    page.go_back()
    page.wait_for_selector("h1:text-is('ListServers')")
    assert page.input_value("[name=secret_key]") == ""


def test_everything_can_be_done_by_keyboard(page: Any, server: ServeProcess) -> None:
    keys = page.keyboard
    keys.press("/")
    keys.type("showover")
    keys.press("ArrowDown")
    keys.press("Enter")
    page.wait_for_selector("h1:text-is('ShowOverview')")
    assert page.evaluate("() => document.activeElement.id") == "operation"
    keys.press("Tab")
    keys.press("Enter")  # the credentials open
    keys.press("Tab")
    keys.press("Tab")
    keys.type(server.admin["access_key"])
    keys.press("Tab")
    keys.type(server.admin["secret_key"])
    page.focus("button.main")
    keys.press("Control+Enter")
    page.wait_for_selector(".answer")
    assert page.inner_text(".answer .status-line strong") == "200 OK"
    page.focus("#tab-Python")
    keys.press("ArrowLeft")
    assert page.evaluate("() => document.activeElement.id") == "tab-curl"
    assert page.inner_text("#sample code").startswith("# WHERRY_TOKEN")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_operation_is_wider_than_the_screen(browser: Any, server: ServeProcess, width: int) -> None:
    for page in opened(browser, server.admin["endpoint"], viewport={"width": width, "height": 800}):
        names = page.evaluate("() => [...document.querySelectorAll('#groups a')].map((link) => link.hash.slice(1))")
        assert len(names) > 60
        too_wide = []
        for name in names:
            choose(page, name)
            page.evaluate("() => document.querySelectorAll('details').forEach((part) => { part.open = true; })")
            if page.evaluate("() => document.documentElement.scrollWidth > innerWidth"):
                too_wide.append(name)
            nameless = page.evaluate(
                "() => [...document.querySelectorAll('main input, main select, main textarea')]"
                ".filter((input) => !input.labels.length).map((input) => input.outerHTML)"
            )
            assert nameless == []
        assert too_wide == []


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(18, 23, 26)")])
def test_both_themes_follow_the_system_and_can_be_chosen(
    browser: Any, server: ServeProcess, scheme: str, ground: str
) -> None:
    seen = "() => getComputedStyle(document.body).backgroundColor"
    for page in opened(browser, server.admin["endpoint"], color_scheme=scheme):
        assert page.evaluate(seen) == ground
        page.click("#theme")
        assert page.evaluate(seen) == "rgb(255, 255, 255)"
        page.click("#theme")
        assert page.evaluate(seen) == "rgb(18, 23, 26)"
        page.reload()
        assert page.inner_text("#theme") == "Theme: dark"
        assert page.evaluate(seen) == "rgb(18, 23, 26)"


def test_every_python_sample_runs(page: Any, server: ServeProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the control plane refuses for its content (the ids are examples) was said in the right form all the same."""
    samples = page.evaluate(SAMPLES, ["Python", {}])
    assert len(samples) > 60
    set_environment(monkeypatch, server)
    monkeypatch.chdir(server.data.parent)
    refused = {}
    for operation, text in samples.items():
        program = compile(text, operation, "exec")
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(program, {"__name__": "__main__"})
        except ServiceResponseException as error:
            refused[operation] = error.error_code
        except urllib.error.HTTPError as error:
            with error:
                body = json.load(error)
            refused[operation] = body.get("error_code", body.get("error", {}).get("title"))
    # The ids are unknown, the login and the join token are made up; a malformed request would be SMS.9001.
    unknown = {"SMS.7602", "SMS.7703", "SMS.7101", "WHERRY.5505", "WHERRY.5504", "Unauthorized", "Not Found"}
    unknown |= {"WHERRY.5512", "WHERRY.5608"}  # no agent to hand out, no such rehearsal
    unknown |= {"WHERRY.5515", "WHERRY.5530", "WHERRY.5531"}  # no such join token, subscription, delivery
    unknown |= {"WHERRY.5810", "WHERRY.5813"}  # a made-up message; the policy of the example is the system's
    unknown |= {code for code, entry in CATALOGUE.items() if code.startswith("WHERRY.58") and entry.status == 404}
    expected = {name: unknown | {"SMS.9001"} if name.endswith("Migproject") else unknown for name in refused}
    assert {name: code for name, code in refused.items() if code not in expected[name]} == {}
    for operation in ("RegisterServer", "ListServers", "ListTasks", "ShowOverview", "CreateJoinToken", "ListReceivers"):
        assert operation not in refused


def test_a_file_is_saved_by_the_page_and_by_the_sample(
    page: Any, server: ServeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = server.client()
    source_id = client.register_server(v3.RegisterServerRequest(body=registration("reported"))).id
    task_id = client.create_task(v3.CreateTaskRequest(body=task(source_id))).id
    known = {"source_id": source_id, "task_id": task_id}
    set_environment(monkeypatch, server)
    monkeypatch.chdir(server.data.parent)
    exec(page.evaluate(SAMPLES, ["Python", known])["ExportConsistencyResults"], {"__name__": "__main__"})
    assert zipfile.is_zipfile("consistency-results")
    choose(page, "ExportConsistencyResults")
    enter_key(page, server)
    page.fill("#body", json.dumps({"task_info": [{"task_id": task_id}]}))
    assert send(page)[0] == "200 OK"
    with page.expect_download() as saving:
        page.click(".answer a[download]")
    assert saving.value.suggested_filename == "consistency-results.xlsx"
    assert zipfile.is_zipfile(saving.value.path())


def test_the_form_and_the_language_of_a_file_can_be_chosen(
    page: Any, server: ServeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = server.client()
    source_id = client.register_server(v3.RegisterServerRequest(body=registration("chosen"))).id
    task_id = client.create_task(v3.CreateTaskRequest(body=task(source_id))).id
    choose(page, "ExportConsistencyResults")
    enter_key(page, server)
    page.fill("#body", json.dumps({"task_info": [{"task_id": task_id}]}))
    assert page.locator("#field-header-Accept option").all_inner_texts()[0] == "(left out)"
    page.select_option("#field-header-Accept", "text/csv")
    page.select_option("#field-header-X-Language", "zh-cn")
    status, body = send(page)
    assert status == "200 OK"
    assert body.removeprefix("\ufeff").startswith("源端名称,源端ID")
    # The vendor's SDKs can't ask for another form, so the sample is plain HTTP then.
    monkeypatch.chdir(server.data.parent)
    set_environment(monkeypatch, server)
    sample = page.inner_text("#sample code")
    assert "huaweicloudsdksms" not in sample
    exec(sample, {"__name__": "__main__"})
    assert "源端名称" in Path("answer").read_text(encoding="utf-8-sig")
    page.select_option("#field-header-X-Language", "en-us")
    assert send(page)[1].removeprefix("\ufeff").startswith("Source name,Source ID")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_curl_sample_runs(page: Any, server: ServeProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = page.evaluate(SAMPLES, ["curl", {}])
    set_environment(monkeypatch, server)
    for operation, text in samples.items():
        assert os.environ["WHERRY_TOKEN"] not in text
        command = ["bash", "-c", text.replace("curl ", "curl --silent --show-error --write-out '\\n%{http_code}' ", 1)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{operation}: {done.stderr}"
        status = done.stdout.rpartition("\n")[2]
        assert status in {"200", "201", "400", "401", "404", "409"}, f"{operation}: {done.stdout}"
        if operation in {"ListServers", "ListTasks", "ShowOverview", "ListReceivers", "ShowConfig", "ShowOpenApi"}:
            assert status == "200", f"{operation}: {done.stdout}"


@pytest.mark.parametrize("language", ["Go", "Java"])
def test_every_other_sample_is_filled_in(page: Any, language: str) -> None:
    for operation, text in page.evaluate(SAMPLES, [language, {}]).items():
        assert operation in text or "http" in text
        assert "undefined" not in text
        assert "{source_id}" not in text
        assert text.count("{") == text.count("}")


def set_environment(monkeypatch: pytest.MonkeyPatch, server: ServeProcess) -> None:
    admin = server.admin
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", admin["access_key"])
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", admin["secret_key"])
    monkeypatch.setenv("WHERRY_CA_FILE", admin["ca_file"])
    monkeypatch.setenv("WHERRY_TOKEN", server.token())
