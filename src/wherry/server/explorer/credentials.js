// Who calls: a key that signs, a token, or nobody. Everything stays in this page's memory.

import { authorization, sdkDate } from "./signing.js";

export class Credentials {
  constructor(form, changed) {
    this.form = form;
    this.inputs = form.elements;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.show(changed));
    // A page that comes back from the browser's memory of pages must not bring secrets along.
    addEventListener("pagehide", () => form.reset());
    this.show(changed);
  }

  get way() {
    return this.inputs.way.value;
  }

  /** What stands in the closed panel's title. */
  get summary() {
    if (this.way === "none") return "no authentication";
    if (this.way === "token") return this.inputs.token.value.trim() ? "a token" : "no token yet";
    const key = this.inputs.access_key.value.trim();
    return key && this.inputs.secret_key.value ? `key ${key}` : "no key yet";
  }

  get complete() {
    return this.way === "none" || !this.summary.startsWith("no ");
  }

  show(changed) {
    for (const panel of this.form.querySelectorAll("[data-way]")) panel.hidden = panel.dataset.way !== this.way;
    changed(this);
  }

  takeToken(token, changed) {
    this.inputs.token.value = token;
    this.inputs.way.value = "token";
    this.show(changed);
  }

  /** Return the headers of *request* with what proves the caller; *now* is the server's time. */
  async headersFor(request, now) {
    const headers = { "content-type": "application/json" };
    if (this.way === "token") {
      headers["x-auth-token"] = this.inputs.token.value.trim();
    } else if (this.way === "key") {
      headers["x-sdk-date"] = sdkDate(now);
      const temporary = this.inputs.security_token.value.trim();
      if (temporary) headers["x-security-token"] = temporary;
      const signed = { ...request, headers: { ...headers } };
      headers.authorization = await authorization(signed, this.inputs.access_key.value.trim(), this.inputs.secret_key.value.trim());
    }
    return { ...headers, ...request.headers };
  }
}
