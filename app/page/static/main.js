// The start of the page: the bar, the view that the address names, messages, and the key dialog.
import { Bar } from "./bar.js";
import { Empty, Messages } from "./components.js";
import { KeyDialog } from "./key.js";
import { openDropped } from "./drop.js";
import { route } from "./router.js";
import { html, render } from "./vendor/vendor.js";
import { CatView } from "./views/cat.js";
import { DatasetsView } from "./views/datasets.js";
import { GalleryView } from "./views/gallery.js";
import { JobView } from "./views/job.js";
import { ModelsView } from "./views/models.js";
import { OperationsView } from "./views/operations.js";
import { TrainingView } from "./views/training.js";

/**
 * Views by the first part of the address; each is a function of the route and has its own module.
 * @type {Record<string, (route: import("./router.js").Route) => any>}
 */
const VIEWS = {
  "": () => html`<${GalleryView} />`,
  cat: ({ rest }) => html`<${CatView} name=${rest[0] ?? ""} seed=${rest[1] ?? ""} />`,
  training: () => html`<${TrainingView} />`,
  job: ({ rest }) => html`<${JobView} id=${rest[0] ?? ""} />`,
  models: ({ rest }) => html`<${ModelsView} name=${rest[0] ?? ""} />`,
  datasets: ({ rest }) => html`<${DatasetsView} name=${rest[0] ?? ""} />`,
  operations: () => html`<${OperationsView} />`,
};

function Page() {
  const here = route.value;
  const view = Object.hasOwn(VIEWS, here.view) ? VIEWS[here.view] : undefined;
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <${Bar} />
    <main id="main" tabindex="-1" key=${here.view} class=${`view-${view ? here.view || "gallery" : "unknown"}`}>
      ${view ? view(here) : html`<h1 tabindex="-1" class="visually-hidden">Not found</h1><${Empty} title="There is no such page."><p><a href="#/">Look at cats instead</a></p><//>`}
    </main>
    <${Messages} />
    <${KeyDialog} />`;
}

/** @param {MouseEvent} event */
function skip(event) {
  event.preventDefault(); // the address is a route
  document.getElementById("main")?.focus();
}

const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(html`<${Page} />`, root);
  openDropped(document);
}
