// A button with data-copies="ID" copies the text of the element ID; it's shown where the browser lets a page do that.

export function watchCopying() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
      button.classList.add("main");
    });
  }
}
