// A schema as a table of fields that opens level by level.

import { inWords, plain, wordsOf } from "./api.js";
import { el, prose } from "./dom.js";

/** Return a closed element named *title* that shows the fields of *schema*; null where it has none. */
export function schemaView(api, schema, title) {
  const rows = rowsOf(api, schema, new Set());
  if (!rows) return null;
  const text = plain(api, schema).description;
  return el("details", { class: "schema" }, el("summary", {}, title), text ? el("p", {}, prose(text)) : null, rows);
}

function rowsOf(api, schema, seen) {
  const found = itemsOf(api, schema);
  if (!found.properties || seen.has(found.title)) return null;
  const required = new Set(found.required ?? []);
  const deeper = new Set(seen).add(found.title);
  const rows = Object.entries(found.properties).map(([name, field]) => row(api, name, field, required.has(name), deeper));
  return el("ul", { class: "fields" }, rows);
}

function row(api, name, field, required, seen) {
  const words = wordsOf(api, field);
  const head = [
    el("code", {}, name), " ", required ? el("span", { class: "required" }, "required") : null, " ",
    el("span", { class: "kind" }, inWords(api, field), words ? [" ", words.map((word) => [el("code", {}, JSON.stringify(word)), " "])].flat(2) : null),
  ];
  const text = itemsOf(api, field).description;
  const inner = rowsOf(api, field, seen);
  if (!inner) return el("li", {}, head, field.description ? el("p", {}, prose(field.description)) : null);
  return el("li", {}, el("details", {}, el("summary", {}, head), text ? el("p", {}, prose(text)) : null, inner));
}

/** The schema of a list's items, or of the thing itself. */
function itemsOf(api, schema) {
  const found = plain(api, schema);
  return found.type === "array" ? itemsOf(api, found.items ?? {}) : found;
}
