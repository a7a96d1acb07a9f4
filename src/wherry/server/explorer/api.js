// The OpenAPI document as the explorer reads it.

const ADDRESS = "/openapi.json";

/** Fetch the document. Returns the API, and how far the server's clock is ahead of this one in milliseconds. */
export async function load() {
  const answer = await fetch(ADDRESS, { headers: { accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) throw new Error(`${ADDRESS} answered ${answer.status}`);
  const served = Date.parse(answer.headers.get("date") ?? "");
  const ahead = Number.isNaN(served) ? 0 : served - Date.now();
  return { api: new Api(await answer.json()), ahead };
}

export class Api {
  constructor(document) {
    this.document = document;
    this.version = document.info.version;
    this.operations = [];
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        this.operations.push(new Operation(this, method.toUpperCase(), path, operation));
      }
    }
  }

  /** Tags with their operations, in the order of the document. */
  groups() {
    return this.document.tags
      .map((tag) => ({ ...tag, operations: this.operations.filter((operation) => operation.tag === tag.name) }))
      .filter((group) => group.operations.length);
  }

  operation(id) {
    return this.operations.find((operation) => operation.id === id);
  }

  /** Return what a reference refers to; anything else as it is. */
  resolve(thing) {
    if (!thing?.$ref) return thing;
    return thing.$ref.slice(2).split("/").reduce((found, name) => found[name], this.document);
  }
}

export class Operation {
  constructor(api, method, path, raw) {
    this.api = api;
    this.method = method;
    this.path = path;
    this.id = raw.operationId;
    this.tag = raw.tags[0];
    this.summary = raw.summary;
    this.description = raw.description;
    this.responses = Object.entries(raw.responses).map(([status, response]) => [status, api.resolve(response)]);
    this.parameters = [...(raw.parameters ?? []), ...this.formsOfTheAnswer()];
    this.anonymous = raw.security?.length === 0;
    this.sdk = raw["x-sms"] ?? null;
    this.body = raw.requestBody?.content["application/json"] ?? null;
  }

  get success() {
    return this.responses.find(([status]) => status.startsWith("2"))[1];
  }

  /** Whether a success answers a file rather than JSON. */
  get isFile() {
    const types = Object.keys(this.success.content ?? {});
    return types.length > 0 && !types.includes("application/json");
  }

  /** The header that chooses among several media types of an answer. A document may not describe it as a parameter. */
  formsOfTheAnswer() {
    const types = Object.keys(this.success.content ?? {});
    if (types.length < 2) return [];
    return [{ name: "Accept", in: "header", schema: { enum: types }, description: "The form of the answer." }];
  }

  /** The schema of what a success answers; null where it's a file or nothing in particular. */
  get answerSchema() {
    return this.success.content?.["application/json"]?.schema ?? null;
  }

  matches(words) {
    const text = `${this.id} ${this.method} ${this.path} ${this.summary} ${this.tag}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }
}

/** Return a schema without "or null", and its limits and kind in words. */
export function inWords(api, schema) {
  const found = plain(api, schema);
  if (found.enum) return "one of";
  if (found.type === "array") return `list of ${inWords(api, found.items ?? {})}${range(found.minItems, found.maxItems, "items")}`;
  if (found.type === "object") return found.title ?? "object";
  if (found.type === "string") return `text${range(found.minLength, found.maxLength, "characters")}`;
  if (found.type === "integer" || found.type === "number") {
    return `${found.type}${range(found.minimum, found.maximum, "")}`;
  }
  if (found.type === "boolean") return "true or false";
  return "any value";
}

/** Follow references, and leave out the null that only says that a field may be missing. */
export function plain(api, schema) {
  const found = api.resolve(schema) ?? {};
  const choices = found.anyOf?.filter((choice) => choice.type !== "null");
  if (choices?.length === 1) return plain(api, choices[0]);
  return found;
}

/** The words that a schema allows, or those that it gives as examples; null where it has none. */
export function wordsOf(api, schema) {
  const found = plain(api, schema);
  return (found.enum ?? found.examples)?.filter((word) => word !== null) ?? null;
}

function range(low, high, unit) {
  const suffix = unit ? ` ${unit}` : "";
  const large = high === undefined || high >= 2 ** 53;
  if (large && !low) return "";
  if (large) return `, from ${low}${suffix}`;
  return `, ${low ?? 0} to ${high}${suffix}`;
}
