// Follows what happens: the server sends the new inside of elements by their ids (see `wherry.console.live`).
// A page that isn't looked at doesn't follow: browsers allow a server six connections, all tabs together.

import { showTimes } from "./times.js";

const HIDDEN_MS = 20000;
let source = null;
let followed = "";
let hiding = null;

export function follow() {
  open();
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, HIDDEN_MS);
    else if (!source) open();
  });
  // The page may show something else now, such as another filter.
  document.addEventListener("htmx:afterSettle", () => {
    if (wanted() === followed) return;
    close();
    open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
}

function wanted() {
  return document.querySelector("[data-live]")?.dataset.live ?? "";
}

function open() {
  followed = wanted();
  if (!followed) return;
  const opened = new EventSource(followed);
  source = opened;
  tell("waiting");
  opened.addEventListener("open", () => tell("on"));
  opened.addEventListener("message", (event) => put(JSON.parse(event.data)));
  opened.addEventListener("over", () => location.reload());
  opened.addEventListener("error", () => {
    if (source !== opened) return;
    if (opened.readyState === EventSource.CLOSED) {
      close();
      check();
    } else {
      tell("waiting");
    }
  });
}

function close() {
  source?.close();
  source = null;
}

// The stream was refused. Where nobody is signed in any more, the page says so; else the control plane is away.
async function check() {
  try {
    const answer = await fetch(followed, { method: "HEAD", cache: "no-store" });
    if (answer.status === 401) {
      location.reload();
      return;
    }
  } catch {
    // away: tried again below
  }
  tell("waiting");
  setTimeout(() => { if (!source && !document.hidden) open(); }, 5000);
}

function tell(state) {
  const light = document.getElementById("live");
  if (light) light.dataset.state = state;
}

function put({ id, html }) {
  const element = document.getElementById(id);
  if (!element) return;
  const made = element.cloneNode(false);
  made.innerHTML = html;
  showTimes(made);
  if (made.innerHTML === element.innerHTML) return;
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  const checked = new Set([...element.querySelectorAll("input:checked")].map((input) => input.id));
  const opened = new Set([...element.querySelectorAll("details[open][id]")].map((part) => part.id));
  element.replaceChildren(...made.childNodes);
  for (const input of element.querySelectorAll("input[type=checkbox][id]")) input.checked = checked.has(input.id);
  for (const part of element.querySelectorAll("details[id]")) part.open = part.open || opened.has(part.id);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  globalThis.htmx?.process(element);
  element.dispatchEvent(new CustomEvent("wherry:put", { bubbles: true }));
}
