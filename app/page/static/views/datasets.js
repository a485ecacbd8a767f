// Data sets: upload, packing, what was kept and what was rejected.
import { Empty, Loader } from "../components.js";
import { counted } from "../format.js";
import { useResource } from "../load.js";
import { address, usePlace } from "../router.js";
import { html } from "../vendor/vendor.js";

/** @param {{ name: string }} props Name of one data set, or "" for all. */
export function DatasetsView({ name }) {
  const datasets = useResource("/datasets");
  usePlace(datasets.data !== undefined);
  return html`<section class="content"><h1 tabindex="-1">${name || "Data sets"}</h1>
    <${Loader} of=${datasets}>${(/** @type {any} */ { datasets: all }) => all.length === 0
      ? html`<${Empty} icon="database" title="No pictures to train on yet." />`
      : html`<ul class="rows">${all.map((/** @type {any} */ set) => html`<li key=${set.name}><a href=${address(["datasets", set.name])}>${set.name}</a>
          <span class="muted">${counted(set.kept, "picture")}</span></li>`)}</ul>`}<//>
  </section>`;
}
