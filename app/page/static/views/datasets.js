// Datasets: all of them, and the form that adds one.
import { url } from "../api.js";
import { Badge, Empty, Loader, ProgressBar } from "../components.js";
import { ago, counted, moment } from "../format.js";
import { useResource } from "../load.js";
import { address, usePlace } from "../router.js";
import { useJobs } from "../stream.js";
import { html, useEffect, useRef } from "../vendor/vendor.js";
import { DatasetView, sizesOf } from "./dataset.js";
import { dropTarget, HowItWorks, UploadForm } from "./dataset-upload.js";

/**
 * @typedef {object} Dataset `GET /datasets/{name}`
 * @property {string} name
 * @property {number} kept
 * @property {number} heldout
 * @property {Record<string, number>} counts Pictures to train on by size in pixels.
 * @property {Record<string, number>} rejected
 * @property {{ file: string, reason: string, detail: string }[]} rejections
 * @property {Record<string, string[]>} [pictured]
 * @property {string} license
 * @property {string} [source]
 * @property {string} imported_at
 * @property {string} fingerprint
 * @property {boolean} aligned
 * @property {{ preview: string, rejected?: Record<string, string> }} links
 */

const OPEN = ["queued", "started"];

/** @param {{ name: string }} props Name of one dataset, or "" for all. */
export function DatasetsView({ name }) {
  return name ? html`<${DatasetView} key=${name} name=${name} />` : html`<${AllDatasets} />`;
}

function AllDatasets() {
  const datasets = useResource("/datasets");
  const imports = [...(useJobs()?.values() ?? [])].filter(({ kind, status }) => kind === "import" && OPEN.includes(status));
  const running = imports.map(({ id }) => id).join();
  const before = useRef(running);
  useEffect(() => {
    if (before.current !== running) datasets.reload(); // one has ended: it may be in the list now
    before.current = running;
  }, [running]);
  usePlace(datasets.data !== undefined);
  return html`<section class="content datasets" ...${dropTarget}><h1 tabindex="-1">Datasets <${HowItWorks} /></h1>
    <${UploadForm} />
    ${imports.length > 0 && html`<section><h2>Being imported</h2><ul class="rows">${imports.map((job) => html`<${Importing} key=${job.id} job=${job} />`)}</ul></section>`}
    <${Loader} of=${datasets}>${(/** @type {{ datasets: Dataset[] }} */ { datasets: all }) => all.length === 0
      ? html`<${Empty} icon="database" title="No pictures to train on yet."><p>Add a folder of your own above, the more pictures the better. Meanwhile, <a href="#/">look at cats</a> of generators that are trained already.</p><//>`
      : html`<ul class="datasets-list">${all.map((set) => html`<${Row} key=${set.name} set=${set} />`)}</ul>`}<//>
  </section>`;
}

/** @param {{ job: import("../stream.js").Job }} props */
function Importing({ job: { order, status, progress } }) {
  return html`<li><a href=${address(["datasets", order.name])}>${order.name}</a> <${Badge} status=${status} />
    <span class="datasets-bar">${status === "started" && html`<${ProgressBar} label=${`Import of ${order.name}`} value=${progress.done} max=${progress.total} etaS=${progress.eta_s} />`}</span></li>`;
}

/** @param {{ set: Dataset }} props */
function Row({ set: { name, kept, counts, rejected, license, source, imported_at: importedAt, links } }) {
  const refused = Object.values(rejected).reduce((sum, count) => sum + count, 0);
  const href = address(["datasets", name]);
  return html`<li>
    <a href=${href} tabindex="-1" aria-hidden="true"><img src=${url(links.preview)} alt="" loading="lazy" width="128" height="128" /></a>
    <div><h2><a href=${href} id=${`dataset-${name}`}>${name}</a></h2>
      <p>${counted(kept, "picture")} ${refused > 0 && html`<span class="muted">and ${counted(refused, "file")} rejected</span>`}</p>
      <p class="muted">${sizesOf(counts)}</p>
      <p class="muted">${license || "License unknown"}${source && `, from ${source}`}</p>
      ${importedAt && html`<p class="muted">imported <time datetime=${importedAt} title=${moment(importedAt)}>${ago(importedAt)}</time></p>`}</div>
  </li>`;
}
