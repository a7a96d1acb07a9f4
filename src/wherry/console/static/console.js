// What every page of the console runs: each module finds its own elements, and does nothing where there are none.

import { showTimes } from "./times.js";
import { watchOpeners } from "./dialogs.js";
import { follow } from "./live.js";
import { watchTables } from "./tables.js";
import { watchForms } from "./forms.js";

showTimes(document);
watchOpeners();
watchForms();
watchTables();
follow();

document.addEventListener("htmx:afterSwap", () => showTimes(document));
