// The sample code of an operation, a tab for each language.

import { copyButton, el } from "./dom.js";
import { LANGUAGES, sample } from "./samples.js";

let chosen = LANGUAGES[0];

export class SampleView {
  /** *request* returns the request as it's filled in now. */
  constructor(operation, request, endpoint) {
    this.operation = operation;
    this.request = request;
    this.endpoint = endpoint;
    this.tabs = LANGUAGES.map((language) => el("button", {
      type: "button", role: "tab", id: `tab-${language}`, "aria-controls": "sample", onclick: () => this.choose(language),
    }, language));
    this.code = el("code");
    const panel = el("div", { id: "sample", role: "tabpanel", class: "code" }, copyButton(() => this.code.textContent),
      el("pre", { tabindex: "0", "aria-label": "Sample code" }, this.code));
    const tabs = el("div", { role: "tablist", "aria-label": "Language", class: "tabs", onkeydown: (event) => this.step(event) }, this.tabs);
    this.panel = panel;
    this.element = el("section", { "aria-labelledby": "sample-title" }, el("h3", { id: "sample-title" }, "Sample code"), tabs, panel);
    this.update();
  }

  choose(language) {
    chosen = language;
    this.update();
  }

  update() {
    for (const tab of this.tabs) {
      const isChosen = tab.textContent === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      if (isChosen) this.panel.setAttribute("aria-labelledby", tab.id);
    }
    this.code.textContent = sample(chosen, this.operation, this.request(), this.endpoint);
  }

  step(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (LANGUAGES.indexOf(chosen) + step + LANGUAGES.length) % LANGUAGES.length;
    this.choose(LANGUAGES[next]);
    this.tabs[next].focus();
  }
}
