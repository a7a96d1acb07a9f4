// The list of operations, with its filter.

import { el } from "./dom.js";

/** A path that breaks after its slashes only. */
function breakable(path) {
  return path.split(/(?<=\/)/).flatMap((piece) => [piece, el("wbr")]);
}

export class List {
  constructor(api, { container, filter, count }) {
    this.api = api;
    this.filter = filter;
    this.count = count;
    this.links = new Map();
    container.replaceChildren(...api.groups().map((group) => this.group(group)));
    filter.addEventListener("input", () => this.narrow());
    filter.addEventListener("keydown", (event) => this.leaveFilter(event));
    container.addEventListener("keydown", (event) => this.walk(event));
    this.narrow();
  }

  group(group) {
    const links = group.operations.map((operation) => {
      const link = el("a", { href: `#${operation.id}` },
        el("span", { class: `method ${operation.method.toLowerCase()}` }, operation.method), el("span", { class: "name" }, operation.id),
        el("span", { class: "path" }, breakable(operation.path)));
      this.links.set(operation.id, link);
      return el("li", {}, link);
    });
    return el("section", {}, el("h2", {}, group.name), el("ul", {}, links));
  }

  /** Show the operations that hold every word of the filter. */
  narrow() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const operation of this.api.operations) {
      const fits = operation.matches(words);
      this.links.get(operation.id).parentElement.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    for (const link of this.links.values()) {
      const section = link.closest("section");
      section.hidden = !section.querySelector("li:not([hidden])");
    }
    this.count.textContent = words.length ? `${shown} of ${this.api.operations.length} operations` : `${shown} operations`;
  }

  mark(id) {
    for (const [name, link] of this.links) {
      if (name === id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    this.links.get(id)?.scrollIntoView({ block: "nearest" });
  }

  visible() {
    return [...this.links.values()].filter((link) => !link.parentElement.hidden);
  }

  leaveFilter(event) {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      this.visible()[0]?.focus();
    } else if (event.key === "Enter") {
      this.visible()[0]?.click();
    } else if (event.key === "Escape" && this.filter.value) {
      this.filter.value = "";
      this.narrow();
    }
  }

  walk(event) {
    const links = this.visible();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const here = links.indexOf(document.activeElement);
    if (!step || here < 0) return;
    event.preventDefault();
    (links[here + step] ?? this.filter).focus();
  }
}
