// Tables: which rows are chosen, and which columns are shown. The columns are kept in the browser.

const sheet = new CSSStyleSheet();

export function watchTables() {
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const table = document.querySelector("table[data-table]");
  if (!table) return;
  const key = `wherry-columns-${table.dataset.table}`;
  showColumns(table, hiddenColumns(key));
  document.addEventListener("change", (event) => {
    const box = event.target.closest("[data-column-choice]");
    if (box) keepColumns(table, key);
    if (event.target.matches("[data-choose-all]")) chooseAll(event.target.checked);
    if (event.target.matches("[data-choose], [data-choose-all]")) showChosen();
  });
  document.addEventListener("wherry:put", showChosen);
  document.addEventListener("htmx:afterSwap", () => {
    showColumns(table, hiddenColumns(key));
    showChosen();
  });
  for (const dialog of document.querySelectorAll("dialog[data-takes-chosen]")) {
    dialog.addEventListener("wherry:opening", () => takeChosen(dialog));
  }
  showChosen();
}

function hiddenColumns(key) {
  try {
    const stored = JSON.parse(localStorage.getItem(key));
    if (Array.isArray(stored)) return stored.filter((name) => /^[a-z]+$/.test(name));
  } catch {
    // storage is switched off, or holds what nobody understands
  }
  return null;
}

function showColumns(table, stored) {
  const boxes = [...document.querySelectorAll("[data-column-choice]")];
  const hidden = stored ?? boxes.filter((box) => !box.defaultChecked).map((box) => box.value);
  for (const box of boxes) box.checked = !hidden.includes(box.value);
  const rules = hidden.map((name) => `table[data-table="${table.dataset.table}"] [data-column="${name}"] { display: none; }`);
  sheet.replaceSync(rules.join("\n"));
}

function keepColumns(table, key) {
  const hidden = [...document.querySelectorAll("[data-column-choice]")].filter((box) => !box.checked).map((box) => box.value);
  try {
    localStorage.setItem(key, JSON.stringify(hidden));
  } catch {
    // it holds for this page then
  }
  showColumns(table, hidden);
}

function boxes() {
  return [...document.querySelectorAll("[data-choose]")];
}

function chooseAll(chosen) {
  for (const box of boxes()) box.checked = chosen;
}

function showChosen() {
  const chosen = boxes().filter((box) => box.checked);
  for (const count of document.querySelectorAll("[data-chosen-count]")) count.textContent = String(chosen.length);
  for (const bar of document.querySelectorAll("[data-needs-chosen]")) bar.hidden = chosen.length === 0;
  const all = document.querySelector("[data-choose-all]");
  if (all) {
    all.checked = chosen.length > 0 && chosen.length === boxes().length;
    all.indeterminate = chosen.length > 0 && !all.checked;
  }
}

// The dialog names what it's about, and its form sends the ids.
function takeChosen(dialog) {
  const list = dialog.querySelector("[data-chosen-list]");
  const chosen = boxes().filter((box) => box.checked);
  list.replaceChildren(...chosen.map((box) => {
    const item = document.createElement("li");
    item.textContent = box.dataset.choose;
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "id";
    field.value = box.value;
    item.append(field);
    return item;
  }));
}
