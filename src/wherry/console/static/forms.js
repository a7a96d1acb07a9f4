// Forms: sent once however often the button is pressed; a choice with data-submits sends its form at once.

export function watchForms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "get" || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
  document.addEventListener("change", (event) => {
    const choice = event.target.closest("[data-submits]");
    if (choice) choice.form.requestSubmit();
  });
}
