// An answer: status, headers, and the body, laid out where it's JSON.

import { copyButton, el, prose } from "./dom.js";
import { isJson, layOut, pretty } from "./json_text.js";

const MOST_COLOURED = 200_000;

/** Show a received answer. Returns the element, and the JSON text of the body ("" for anything else). */
export async function showAnswer(response, elapsed) {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const type = response.headers.get("content-type") ?? "";
  const isText = /json|^text\//.test(type);
  const text = isText ? new TextDecoder().decode(bytes) : "";
  const family = response.ok ? "good" : "bad";
  const element = el("div", { class: "answer" },
    el("p", { class: `status-line ${family}` }, el("strong", {}, `${response.status} ${response.statusText}`.trim()),
      el("span", {}, `${elapsed} ms`), el("span", {}, size(bytes.length))),
    response.ok ? null : refusal(text),
    headersOf(response),
    isText ? textBody(text, type) : file(bytes, type, response.headers.get("content-disposition") ?? ""));
  return { element, json: /json/.test(type) && isJson(text) ? text : "" };
}

/** Show that there was no answer. */
export function showFailure(title, ...explanations) {
  return el("div", { class: "answer" }, el("p", { class: "status-line bad" }, el("strong", {}, title)),
    explanations.map((text) => el("p", {}, text)));
}

function refusal(text) {
  if (!isJson(text)) return null;
  const body = JSON.parse(text);
  const code = body.error_code;
  if (!code) return null;
  const rows = [["What", body.error_msg], ["Why", body.cause], ["What to do", body.fix]].filter(([, value]) => value);
  const link = el("a", { href: `/errors/${encodeURIComponent(code)}`, target: "_blank", rel: "noopener" }, code);
  return el("div", { class: "refusal" }, el("p", {}, el("strong", {}, link)),
    el("dl", { class: "facts" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, prose(value))]).flat()));
}

function headersOf(response) {
  const rows = [...response.headers].map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)));
  return el("details", {}, el("summary", {}, `Headers (${rows.length})`), el("div", { class: "wide" }, el("table", {}, el("tbody", {}, rows))));
}

function textBody(text, type) {
  const isJsonBody = /json/.test(type) && isJson(text);
  const shown = isJsonBody ? pretty(text) : text;
  const coloured = isJsonBody && text.length <= MOST_COLOURED;
  const code = el("code", {}, coloured ? layOut(text).map(([kind, piece]) => (kind ? el("span", { class: `j-${kind}` }, piece) : piece)) : shown);
  return el("div", { class: "code" }, copyButton(() => shown), el("pre", { tabindex: "0", "aria-label": "Body of the answer" }, code));
}

function file(bytes, type, disposition) {
  if (!bytes.length) return el("p", {}, "The body is empty.");
  const name = disposition.match(/filename="([\w.-]+)"/)?.[1] ?? "answer";
  const address = URL.createObjectURL(new Blob([bytes], { type }));
  return el("p", {}, el("a", { href: address, download: name }, `Save ${name} (${size(bytes.length)})`));
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}
