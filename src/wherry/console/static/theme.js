// The theme that was chosen last, before anything is drawn. A classic script, so that the page never flashes.
// The explorer keeps its choice under the same name, so one switch is for both.
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
    const choice = document.getElementById("theme");
    if (!choice) return;
    choice.value = stored();
    choice.addEventListener("change", () => {
      try {
        localStorage.setItem(key, choice.value);
      } catch {
        // it holds for this page then
      }
      show(choice.value);
      document.dispatchEvent(new CustomEvent("wherry:theme"));
    });
  });
})();
