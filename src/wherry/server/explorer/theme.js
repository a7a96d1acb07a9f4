// The theme that was chosen last, before anything is drawn. A classic script, so that the page never flashes.
"use strict";

(() => {
  const names = ["system", "light", "dark"];
  const key = "wherry-theme";
  const root = document.documentElement;

  function stored() {
    try {
      const name = localStorage.getItem(key);
      return names.includes(name) ? name : "system";
    } catch {
      return "system"; // storage is switched off
    }
  }

  function show(name) {
    if (name === "system") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", name);
  }

  show(stored());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const label = (name) => { button.textContent = `Theme: ${name}`; };
    label(stored());
    button.addEventListener("click", () => {
      const next = names[(names.indexOf(stored()) + 1) % names.length];
      try {
        localStorage.setItem(key, next);
      } catch {
        // it holds for this page then
      }
      show(next);
      label(next);
    });
  });
})();
