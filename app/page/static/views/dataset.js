// One dataset: its pictures, what was rejected and why; before it is there, its import, live.
import { remove, url } from "../api.js";
import { ActionButton, Badge, Button, Dialog, Failure, Loading, ProgressBar } from "../components.js";
import { change } from "../draft.js";
import { ago, counted, duration, moment, number } from "../format.js";
import { forget } from "../intake.js";
import { useResource } from "../load.js";
import { address, go, usePlace } from "../router.js";
import { shortage } from "../shortage.js";
import { useJobs } from "../stream.js";
import { html, useEffect, useState } from "../vendor/vendor.js";
import { Rejected } from "./dataset-rejected.js";

/** @typedef {import("./datasets.js").Dataset} Dataset */
/** @typedef {import("../stream.js").Job} Job */

const OPEN = ["queued", "started"];

/** @param {{ name: string }} props */
export function DatasetView({ name }) {
  const job = [...(useJobs()?.values() ?? [])].find(({ kind, order }) => kind === "import" && order.name === name);
  const dataset = useResource(`/datasets/${encodeURIComponent(name)}`);
  useEffect(() => {
    if (job?.status === "finished" && !dataset.data) dataset.reload();
  }, [job?.status]);
  useEffect(() => {
    if (dataset.data) forget(name);
  }, [dataset.data]);
  usePlace(dataset.data !== undefined || job !== undefined);
  const isGone = dataset.problem && [404, 410].includes(dataset.problem.status);
  return html`<section class="content dataset">
    <p class="datasets-up"><a href=${address(["datasets"])}>All datasets</a></p>
    ${dataset.data && !isGone ? html`<${There} set=${dataset.data} />` : html`<h1 tabindex="-1">${name}</h1>
      ${job && job.status !== "finished" ? html`<${Import} job=${job} />`
        : dataset.problem && !dataset.isLoading ? html`<${Failure} problem=${dataset.problem} onRetry=${dataset.reload} />` : html`<${Loading} />`}`}
  </section>`;
}

/** @param {{ job: Job }} props */
function Import({ job }) {
  const { status, phases, progress, reason } = job;
  if (!OPEN.includes(status)) {
    return html`<div class="panel datasets-failed"><h2>${status === "canceled" ? "The import was canceled." : "The import failed, and nothing of it was kept."}</h2>
      ${reason && html`<p>${reason}</p>`}
      <p class="buttons"><${Button} kind="primary" icon="folder-up" href=${address(["datasets"])}>Choose other pictures<//></p></div>`;
  }
  if (status === "queued") return html`<p class="panel" role="status">Uploaded. Waiting for a worker. <a href=${address(["operations"])}>Look at the queue</a></p>`;
  const phase = phases.at(-1);
  return html`<div class="panel datasets-import">
    <p><${Badge} status="started">${phase?.task || "preparing"}<//></p>
    <${ProgressBar} label="Import" value=${phase?.total ? phase.done : progress.done} max=${phase?.total ?? progress.total} etaS=${phase?.eta_s ?? progress.eta_s} />
    <p class="muted">${progress.total ? `${number(progress.done)} of ${counted(progress.total, "file")} read` : "Opening the upload"}${phase && `, for ${duration((Date.now() - Date.parse(phase.started_at)) / 1000)}`}</p>
    <p class="buttons"><${Button} kind="quiet" href=${address(["job", job.id])}>Its job<//></p></div>`;
}

/** @param {{ set: Dataset }} props */
function There({ set }) {
  const { name, license, source, imported_at: importedAt, links } = set;
  return html`
    <header class="dataset-head"><div><h1 tabindex="-1">${name}</h1>
        <p class="muted">${license || "License unknown"}${importedAt && html`, imported <time datetime=${importedAt} title=${moment(importedAt)}>${ago(importedAt)}</time>`}</p></div>
      <${Actions} set=${set} /></header>
    <${Shortage} set=${set} />
    <div class="dataset-main">
      <figure><img src=${url(links.preview)} alt=${`Some pictures of ${name}`} width="512" height="512" />
        <figcaption class="muted">Some of its pictures, as trainings see them at 64 px</figcaption></figure>
      <div class="dataset-about">
        <dl class="facts">${factsOf(set).map(([term, fact, note]) => html`<div key=${term}><dt>${term}</dt><dd>${fact}${note && html`<br /><span class="muted">${note}</span>`}</dd></div>`)}
          ${source && html`<div><dt>Source</dt><dd>${linked(source)}</dd></div>`}</dl>
        <${Rejected} set=${set} />
      </div>
    </div>`;
}

/** @param {Dataset} set @returns {[string, any, string?][]} */
function factsOf({ kept, heldout, counts, license, aligned, fingerprint }) {
  return [
    ["Kept", counted(kept, "picture"), `${number(heldout)} of them held out: no training sees them`],
    ["To train on, by size", sizesOf(counts)],
    ["License", license || "unknown"],
    ["Faces", aligned ? "aligned by their landmarks" : "as in the pictures, the middle square of each"],
    ["Fingerprint", html`<code title=${fingerprint}>${fingerprint.slice(0, 12)}</code>`, "the same for the same pictures"],
  ];
}

/** Pictures to train on by size, as text. @param {Record<string, number>} counts */
export function sizesOf(counts) {
  const sizes = Object.keys(counts).map(Number).sort((a, b) => a - b);
  return sizes.map((px) => `${counts[px].toLocaleString("en-US")} of ${px} px`).join(", ");
}

/** A web address as a link, anything else as text. @param {string} source */
function linked(source) {
  // Only these two: "javascript:" in a name must stay text.
  return /^https?:\/\/\S+$/.test(source) ? html`<a href=${source} rel="noreferrer noopener" target="_blank">${source}</a>` : source;
}

/** @param {{ set: Dataset }} props */
function Shortage({ set }) {
  const recipes = useResource("/recipes");
  const most = Math.max(0, ...Object.values(set.counts));
  const text = recipes.data ? shortage(most, recipes.data.recipes) : "";
  return text && html`<p class="datasets-few" role="note">${text}</p>`;
}

/** @param {{ set: Dataset }} props */
function Actions({ set: { name, kept } }) {
  const [isAsking, setAsking] = useState(false);
  async function destroy() {
    await remove(`/datasets/${encodeURIComponent(name)}`);
    go(address(["datasets"]));
  }
  return html`<div class="buttons">
    <${Button} id="train-on-it" kind="primary" icon="play" href=${address(["training"])} onClick=${() => change({ dataset: name, resume: "", size: "" })}>Train on it<//>
    <${Button} id="delete-dataset" kind="quiet" icon="trash-2" label=${`Delete ${name}`} onClick=${() => setAsking(true)} />
    <${Dialog} title=${`Delete ${name}?`} isOpen=${isAsking} onClose=${() => setAsking(false)}>
      <p>Its ${counted(kept, "picture")} are deleted here for good. Versions that learned from them stay and are served as before, but can no longer be measured against them.
        It is refused while a job uses the dataset.</p>
      <footer><${Button} onClick=${() => setAsking(false)}>Keep it<//>
        <${ActionButton} kind="danger" icon="trash-2" action=${destroy} done=${`${name} is deleted.`}>Delete the dataset<//></footer>
    <//></div>`;
}
