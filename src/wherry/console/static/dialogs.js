// Dialogs: a button with data-opens="ID" opens the dialog ID. What is typed into data-confirm must match to go on.

export function watchOpeners() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.opens);
      dialog?.dispatchEvent(new CustomEvent("wherry:opening", { detail: { opener } }));
      dialog?.showModal();
      return;
    }
    const closer = event.target.closest("[data-closes]");
    if (closer) closer.closest("dialog")?.close();
    if (event.target instanceof HTMLDialogElement) event.target.close(); // the backdrop
    closeMenus(event.target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenus(null);
  });
}

function closeMenus(inside) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!inside || !menu.contains(inside)) {
      if (menu.contains(document.activeElement) && !inside) menu.querySelector("summary").focus();
      menu.open = false;
    }
  }
}
