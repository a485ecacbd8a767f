// The form that uploads pictures: a folder or a zip, dropped or chosen.
import { BadChoice, chosenFrom, chosenFromDrop } from "../chosen.js";
import { Button, Explained, Field, Icon, ProgressBar } from "../components.js";
import { bytes, counted } from "../format.js";
import { cancel, choose, chosen, describe, label, refusal, send, sending } from "../intake.js";
import { useResource } from "../load.js";
import { shortage } from "../shortage.js";
import { html, signal, useRef } from "../vendor/vendor.js";

const CAN_CHOOSE_FOLDERS = "webkitdirectory" in HTMLInputElement.prototype;
const TASKS = { checking: "Asking the service", packing: "Packing", sending: "Uploading" };

/** How many files were found in what was dropped; null when nothing is being read. */
const found = signal(/** @type {number | null} */ (null));
/** Why what was chosen cannot be used. */
const mistake = signal("");
const isOver = signal(false);

/** @param {() => Promise<import("../chosen.js").Chosen> | import("../chosen.js").Chosen} read */
async function take(read) {
  mistake.value = "";
  try {
    choose(await read());
  } catch (err) {
    if (!(err instanceof BadChoice)) throw err;
    mistake.value = err.message;
  } finally {
    found.value = null;
  }
}

/** Attributes of the element that takes what is dropped. */
export const dropTarget = {
  onDragOver: (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    isOver.value = !sending.value;
  },
  onDragLeave: () => void (isOver.value = false),
  onDrop: (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    isOver.value = false;
    const { dataTransfer } = event;
    if (!dataTransfer || sending.value) return;
    found.value = 0;
    take(() => chosenFromDrop(dataTransfer, (count) => void (found.value = count)));
  },
};

export function UploadForm() {
  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    send();
  }
  const isBusy = sending.value !== null;
  // Asked for only when there is something to name: the list below is what most come for.
  const isNamed = chosen.value !== null || Object.values(label.value).some(Boolean);
  return html`<form class="panel datasets-add" onSubmit=${submit} aria-labelledby="datasets-add">
    <h2 id="datasets-add">Add pictures</h2>
    <${Choice} isBusy=${isBusy} />
    ${isNamed && html`<div class="datasets-fields"><${LabelFields} isBusy=${isBusy} /></div>`}
    <${Refusal} />
    ${isBusy ? html`<${Sending} />` : isNamed && html`<div class="buttons"><${Button} type="submit" kind="primary" icon="upload" disabled=${!chosen.value || !label.value.name}>Upload<//></div>`}
  </form>`;
}

/** What is chosen, or how to choose. @param {{ isBusy: boolean }} props */
function Choice({ isBusy }) {
  const folder = useRef(/** @type {HTMLInputElement | null} */ (null));
  const files = useRef(/** @type {HTMLInputElement | null} */ (null));
  /** @param {any} event */
  function onChange({ target }) {
    if (target.files.length) take(() => chosenFrom(target.files));
    target.value = ""; // so that the same folder can be chosen again
  }
  const what = chosen.value;
  return html`<div class=${`datasets-drop ${isOver.value ? "is-over" : ""}`}>
    <${Icon} name="folder-up" />
    ${found.value !== null ? html`<p role="status">Reading the folder: ${counted(found.value, "file")} so far</p>`
      : what ? html`<${Chosen} what=${what} isBusy=${isBusy} />`
        : html`<p><b class="datasets-by-mouse">Drop a folder of pictures or a zip here</b><b class="datasets-by-touch">A folder of pictures, or a zip of one</b></p>`}
    ${!isBusy && html`<div class="buttons">
      ${CAN_CHOOSE_FOLDERS && html`<${Button} id="choose-folder" onClick=${() => folder.current?.click()}>Choose a folder<//>`}
      <${Button} id="choose-files" onClick=${() => files.current?.click()}>Choose pictures or a zip<//></div>`}
    <input ref=${folder} type="file" hidden webkitdirectory aria-label="Folder of pictures" onChange=${onChange} />
    <input ref=${files} type="file" hidden multiple accept=".zip,.cat,application/zip,image/*" aria-label="Pictures or a zip" onChange=${onChange} />
    ${mistake.value && html`<p class="error" role="alert">${mistake.value}</p>`}
  </div>`;
}

/** @param {{ what: import("../chosen.js").Chosen, isBusy: boolean }} props */
function Chosen({ what, isBusy }) {
  const recipes = useResource("/recipes");
  const few = what.isZip || !recipes.data ? "" : shortage(what.members.length, recipes.data.recipes);
  const name = what.isZip ? what.members[0].path : what.label || "Pictures";
  return html`<p><b class="datasets-chosen">${name}</b> <span class="muted">${what.isZip ? bytes(what.bytes) : `${counted(what.members.length, "file")}, ${bytes(what.bytes)}`}</span>
      ${!isBusy && html`<${Button} icon="x" kind="quiet" label=${`Take ${name} away`} onClick=${() => choose(null)} />`}</p>
    ${few && html`<p class="datasets-few">${few}</p>`}`;
}

/** @param {{ isBusy: boolean }} props */
function LabelFields({ isBusy }) {
  const { name, license, source } = label.value;
  const { fields = {}, status } = refusal.value ?? {};
  /** @param {string} field @returns {(event: any) => void} */
  const set = (field) => ({ target }) => describe({ [field]: target.value });
  const nameError = fields.name ?? (status === 409 ? refusal.value?.message : undefined);
  return html`
    <${Field} label="Name" error=${nameError} help="Lower-case letters, digits, dots, dashes. Orders of trainings use it.">
      ${(/** @type {any} */ given) => html`<input ...${given} name="name" required value=${name} placeholder="my-cats" autocomplete="off" autocapitalize="none" spellcheck=${false} disabled=${isBusy} onInput=${set("name")} />`}<//>
    <${Field} label=${html`License <span class="unit">optional</span>`} error=${fields.license} help="Of the pictures. It is shown with every cat that learns from them.">
      ${(/** @type {any} */ given) => html`<input ...${given} name="license" value=${license} maxlength="500" placeholder="CC BY 4.0, or my own" autocomplete="off" disabled=${isBusy} onInput=${set("license")} />`}<//>
    <${Field} label=${html`Source <span class="unit">optional</span>`} error=${fields.source} help="Where they come from: an address, a title, people.">
      ${(/** @type {any} */ given) => html`<input ...${given} name="source" value=${source} maxlength="500" placeholder="photographs of our shelter" autocomplete="off" disabled=${isBusy} onInput=${set("source")} />`}<//>`;
}

/** Why the upload was refused or broke, beside what fields say. */
function Refusal() {
  const problem = refusal.value;
  if (!problem) return null;
  const isBroken = problem.status === 0;
  return html`<div class="datasets-refusal" role="alert"><${Icon} name=${isBroken ? "wifi-off" : "circle-alert"} />
    <p>${isBroken ? "The connection broke, and nothing was imported." : problem.message} ${problem.remedy} ${isBroken && "What you typed and chose is still here."}</p></div>`;
}

function Sending() {
  const now = sending.value;
  if (!now) return null;
  const { task, done, total, unit } = now;
  const show = unit === "bytes" ? bytes : (/** @type {number} */ count) => counted(count, "file");
  return html`<div class="datasets-sending"><p role="status">${TASKS[task]}${total > 0 && html` <span class="muted">${show(done)} of ${show(total)}</span>`}</p>
    <${ProgressBar} label=${TASKS[task]} value=${done} max=${total} />
    <${Button} icon="x" onClick=${cancel}>Cancel<//></div>`;
}

/** What the service does with an upload, on demand. */
export function HowItWorks() {
  return html`<${Explained} label="What happens with my pictures?">Each picture is cropped to its middle square and kept in every size that it reaches.
    Broken files, pictures below 32 px and near duplicates are rejected, and the reasons listed. One picture in twenty is held out:
    no training sees it, so that copies can be told from inventions.<//>`;
}
