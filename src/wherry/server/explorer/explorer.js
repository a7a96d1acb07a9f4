// The API explorer: wires the list, the form, the credentials and the answer together.

import { load } from "./api.js";
import { showAnswer, showFailure } from "./answer.js";
import { Credentials } from "./credentials.js";
import { el, prose } from "./dom.js";
import { Form } from "./form.js";
import { noteIds } from "./known_ids.js";
import { List } from "./list.js";
import { SampleView } from "./sample_view.js";
import { schemaView } from "./schema_view.js";

const byId = (id) => document.getElementById(id);
const known = new Map();
let ahead = 0;
let running = null;

function nameCredentials(credentials) {
  byId("credentials-summary").textContent = credentials.summary;
}

async function start() {
  const credentials = new Credentials(byId("credentials-form"), nameCredentials);
  const loaded = await load();
  ahead = loaded.ahead;
  const { api } = loaded;
  byId("version").textContent = api.version;
  const list = new List(api, { container: byId("groups"), filter: byId("filter"), count: byId("count") });
  const open = () => {
    const operation = api.operation(decodeURIComponent(location.hash.slice(1)));
    running?.abort();
    list.mark(operation?.id);
    document.body.classList.toggle("has-operation", Boolean(operation));
    document.title = operation ? `${operation.id} - Wherry API explorer` : "Wherry API explorer";
    byId("detail").replaceChildren(operation ? detail(operation, credentials) : welcome());
    byId("credentials").hidden = !operation;
    if (operation) scrollTo({ top: 0 });
  };
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the hash names an operation
    byId("operation").focus();
  });
  addEventListener("hashchange", () => {
    open();
    byId("operation").focus({ preventScroll: true });
  });
  open();
}

function welcome() {
  return el("div", { class: "welcome" }, el("h1", {}, "API explorer"),
    el("p", {}, "Choose an operation. Its form is filled in with an example, and sample code follows what you type."),
    el("p", {}, "Requests go to this control plane and do what they say. Keys and tokens stay in this page's memory and are gone when you leave it."),
    el("p", {}, el("kbd", {}, "/"), " filters, ", el("kbd", {}, "↑"), " ", el("kbd", {}, "↓"), " walk through the list, ",
      el("kbd", {}, "Ctrl"), "+", el("kbd", {}, "Enter"), " sends."));
}

function detail(operation, credentials) {
  const outcome = el("div", { role: "status", "aria-live": "polite" });
  const send = el("button", { type: "submit", class: "main" }, "Send");
  const cancel = el("button", { type: "button", hidden: true, onclick: () => running?.abort() }, "Cancel");
  let samples = null;
  const form = new Form(operation, known, () => samples.update());
  samples = new SampleView(operation, () => form.request(), location.origin);
  const submit = async (event) => {
    event.preventDefault();
    if (running) return;
    const complaint = form.complaint() ?? missingCredentials(operation, credentials);
    if (complaint) {
      outcome.replaceChildren(showFailure("Not sent", complaint));
      return;
    }
    send.disabled = true;
    cancel.hidden = false;
    try {
      outcome.replaceChildren(await exchange(operation, form.request(), credentials));
    } finally {
      send.disabled = false;
      cancel.hidden = true;
    }
  };
  const element = el("form", { novalidate: true, onsubmit: submit, onkeydown: (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      element.requestSubmit();
    }
  } }, form.element, el("div", { class: "tools" }, send, cancel));
  return el("article", {},
    el("h1", {}, operation.id),
    el("p", { class: "call" }, el("span", { class: `method ${operation.method.toLowerCase()}` }, operation.method), " ", el("code", {}, operation.path)),
    el("p", { class: "summary" }, prose(operation.summary.endsWith(".") ? operation.summary : `${operation.summary}.`)),
    operation.description.split("\n\n").map((text) => el("p", { class: "quiet" }, prose(text))),
    operation.body ? schemaView(operation.api, operation.body.schema, "Fields of the body") : null,
    operation.answerSchema ? schemaView(operation.api, operation.answerSchema, "Fields of the answer") : null,
    statuses(operation),
    element, outcome, samples.element);
}

function statuses(operation) {
  const rows = operation.responses.map(([status, response]) => el("tr", {}, el("th", { scope: "row" }, status), el("td", {}, response.description)));
  return el("details", { class: "schema" }, el("summary", {}, "Statuses"), el("table", {}, el("tbody", {}, rows)));
}

function missingCredentials(operation, credentials) {
  if (operation.anonymous || credentials.complete) return null;
  byId("credentials").open = true;
  return "Enter a key or a token above first, or choose to send it without authentication.";
}

/** Send a request and return what came of it, as an element. */
async function exchange(operation, request, credentials) {
  running = new AbortController();
  const started = performance.now();
  try {
    const headers = operation.anonymous
      ? { "content-type": "application/json", ...request.headers }
      : await credentials.headersFor(request, new Date(Date.now() + ahead));
    const response = await fetch(request.path + (request.query ? `?${request.query}` : ""), {
      method: request.method,
      headers,
      body: request.body || undefined,
      cache: "no-store",
      credentials: "omit",
      redirect: "manual",
      referrerPolicy: "no-referrer",
      signal: running.signal,
    });
    const { element, json } = await showAnswer(response, Math.round(performance.now() - started));
    if (response.ok && json) noteIds(known, operation, JSON.parse(json));
    if (operation.id === "CreateToken" && response.ok) {
      credentials.takeToken(response.headers.get("x-subject-token"), nameCredentials);
      element.prepend(el("p", {}, "The token is used for the next requests."));
    }
    return element;
  } catch (error) {
    if (error.name === "AbortError") return showFailure("Cancelled", "No answer was waited for. The request may have been carried out.");
    return showFailure("No answer", String(error.message ?? error), "Is the control plane running, and does the browser trust its certificate?");
  } finally {
    running = null;
  }
}

addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    if (location.hash && matchMedia("(max-width: 50rem)").matches) location.hash = "";
    byId("filter").focus();
  }
});

start().catch((error) => {
  byId("detail").replaceChildren(showFailure("The explorer can't start", String(error.message ?? error)));
});
