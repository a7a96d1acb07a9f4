// The form of an operation: its parameters and its body, and the request that they make.

import { inWords, plain, wordsOf } from "./api.js";
import { el, prose } from "./dom.js";
import { isJson, pretty } from "./json_text.js";
import { encoded, queryString } from "./signing.js";

const PLACES = [["path", "In the path"], ["query", "In the query"], ["header", "Headers"]];

export class Form {
  /** *known*: values seen in answers, by parameter name, which are offered instead of the examples. */
  constructor(operation, known, changed) {
    this.operation = operation;
    this.fields = operation.parameters.map((parameter) => new Field(operation.api, parameter, known));
    this.body = operation.body ? new Body(operation, known) : null;
    this.element = el("div", { class: "form" }, this.groups(), this.body?.element);
    this.element.addEventListener("input", changed);
    this.element.addEventListener("change", changed);
  }

  groups() {
    return PLACES.map(([place, title]) => {
      const fields = this.fields.filter((field) => field.place === place);
      if (!fields.length) return null;
      return el("fieldset", {}, el("legend", {}, title), fields.map((field) => field.element));
    });
  }

  /** Return what is wrong with the first field that can't be sent, after putting the focus there; null: all is well. */
  complaint() {
    for (const field of this.fields) {
      const fault = field.fault();
      if (fault) {
        field.input.focus();
        return fault;
      }
    }
    return null;
  }

  /** Return the request as it's filled in, where the examples stand for what is required and empty. */
  request() {
    const values = (place) => this.fields
      .filter((field) => field.place === place && (field.value !== "" || field.required))
      .map((field) => [field.name, field.value || field.example]);
    const inPath = new Map(values("path"));
    const query = values("query");
    return {
      method: this.operation.method,
      path: this.operation.path.replace(/{(\w+)}/g, (_, name) => encoded(inPath.get(name))),
      query: queryString(query),
      headers: Object.fromEntries(values("header").map(([name, value]) => [name.toLowerCase(), value])),
      body: this.body?.text ?? "",
      parameters: { path: [...inPath], query, header: values("header") },
    };
  }
}

class Field {
  constructor(api, parameter, known) {
    this.name = parameter.name;
    this.place = parameter.in;
    this.required = parameter.required ?? false;
    this.example = String(parameter.example ?? "");
    this.schema = plain(api, parameter.schema);
    const isId = this.schema.maxLength === 36;
    const start = known.get(this.name) ?? (isId ? "" : this.example);
    const id = `field-${this.place}-${this.name}`;
    this.input = this.makeInput(id, wordsOf(api, parameter.schema), start);
    const hints = [wordsOf(api, parameter.schema) ? "" : inWords(api, parameter.schema), parameter.description ?? ""];
    const hint = el("small", { id: `${id}-hint` }, prose(hints.filter(Boolean).join(". ")));
    const mark = this.required ? el("span", { class: "required" }, "required") : null;
    this.element = el("div", { class: "field" }, el("label", { for: id }, el("code", {}, this.name), " ", mark), this.input, hint);
  }

  makeInput(id, words, start) {
    const common = { id, "aria-describedby": `${id}-hint`, "aria-required": this.required ? "true" : null };
    const choices = words ?? (this.schema.type === "boolean" ? ["true", "false"] : null);
    if (choices) {
      const options = ["", ...choices.filter((word) => word !== "")];
      return el("select", common, options.map((word) => el("option", { value: word, selected: word === start }, word || "(left out)")));
    }
    const number = this.schema.type === "integer" || this.schema.type === "number";
    const input = el("input", {
      ...common, type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off",
      inputmode: number ? "numeric" : null, placeholder: this.example,
    });
    input.value = start;
    return input;
  }

  get value() {
    return this.input.value.trim();
  }

  fault() {
    this.input.removeAttribute("aria-invalid");
    let fault = null;
    if (this.required && !this.value) fault = `${this.name} is needed.`;
    // A browser takes such a segment as a step in the path, whatever it's written like.
    else if (this.place === "path" && /^\.{1,2}$/.test(this.value)) fault = `${this.name} can't be "${this.value}".`;
    // eslint-disable-next-line no-control-regex
    else if (this.place === "header" && /[^\x20-\x7e]/.test(this.value)) fault = `${this.name} must be plain ASCII.`;
    if (fault) this.input.setAttribute("aria-invalid", "true");
    return fault;
  }
}

class Body {
  constructor(operation, known) {
    this.example = exampleOf(operation, known);
    this.area = el("textarea", {
      id: "body", rows: "14", spellcheck: "false", autocomplete: "off", autocapitalize: "off", wrap: "off", "aria-describedby": "body-state",
    });
    this.area.value = this.example;
    this.area.rows = Math.min(Math.max(this.example.split("\n").length + 1, 4), 24);
    this.state = el("small", { id: "body-state", role: "status" });
    const layOut = el("button", { type: "button", class: "quiet", onclick: () => this.set(pretty(this.text)) }, "Lay out");
    const reset = el("button", { type: "button", class: "quiet", onclick: () => this.set(this.example) }, "Back to the example");
    this.area.addEventListener("input", () => this.judge());
    this.element = el("fieldset", {}, el("legend", {}, "Body"), el("label", { class: "offscreen", for: "body" }, "JSON body"),
      this.area, el("div", { class: "tools" }, layOut, reset, this.state));
    this.judge();
  }

  get text() {
    return this.area.value;
  }

  set(text) {
    this.area.value = text;
    this.area.dispatchEvent(new Event("input", { bubbles: true }));
  }

  judge() {
    const good = isJson(this.text);
    this.state.textContent = good ? "" : "This isn't JSON; it is sent as it stands.";
    this.area.toggleAttribute("data-odd", !good);
  }
}

/** The example of a body, with ids that answers have shown in place of the example's. */
function exampleOf(operation, known) {
  let text = JSON.stringify(operation.body.example ?? {}, null, 2);
  for (const { parameters } of operation.api.operations) {
    for (const { name, example } of parameters) {
      if (typeof example === "string" && example.length === 36 && known.has(name)) {
        text = text.replaceAll(JSON.stringify(example), JSON.stringify(known.get(name)));
      }
    }
  }
  return text;
}
