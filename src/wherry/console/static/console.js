// What every page of the console runs: each module finds its own elements, and does nothing where there are none.

import { showTimes } from "./times.js";
import { watchOpeners } from "./dialogs.js";
import { follow } from "./live.js";
import { watchTables } from "./tables.js";
import { watchCopying } from "./copying.js";
import { watchForms } from "./forms.js";
import { watchPlots } from "./plots.js";

showTimes(document);
watchOpeners();
watchForms();
watchCopying();
watchTables();
watchPlots();
follow();

document.addEventListener("htmx:afterSwap", () => showTimes(document));
