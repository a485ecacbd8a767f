// What an import rejected: how many for each reason, some pictures, and the list of files.
import { url } from "../api.js";
import { counted } from "../format.js";
import { html } from "../vendor/vendor.js";

/** What to do about each reason of the service. @type {Record<string, string>} */
const ADVICE = {
  unreadable: "The file is damaged, or not a picture.",
  unsupported: "Only common formats of pictures are read.",
  "too small": "Its shorter side is below 32 px.",
  "too large": "Too many pixels or bytes; shrink it first.",
  duplicate: "Nearly the same as another one: it would weigh twice.",
  "damaged landmarks": "Its .cat file does not hold a cat's landmarks.",
  link: "Links are not followed.",
};

/** @param {{ set: import("./datasets.js").Dataset }} props */
export function Rejected({ set }) {
  const reasons = Object.entries(set.rejected).sort(([, one], [, other]) => other - one);
  if (reasons.length === 0) return html`<p class="dataset-clean">No file was rejected.</p>`;
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  return html`<section class="dataset-rejected"><h2>${counted(total, "file")} rejected</h2>
    <ul>${reasons.map(([reason, count]) => html`<${Reason} key=${reason} set=${set} reason=${reason} count=${count} />`)}</ul></section>`;
}

/** @param {{ set: import("./datasets.js").Dataset, reason: string, count: number }} props */
function Reason({ set, reason, count }) {
  const files = set.rejections.filter((one) => one.reason === reason);
  const sheet = set.links.rejected?.[reason];
  const pictured = set.pictured?.[reason] ?? [];
  return html`<li>
    <p><b>${count.toLocaleString("en-US")}</b> ${reason} <span class="muted">${ADVICE[reason] ?? ""}</span></p>
    ${sheet && html`<img src=${url(sheet)} style=${sizeOf(pictured.length)} alt=${`Rejected as ${reason}: ${pictured.join(", ")}`} title=${pictured.join(", ")} loading="lazy" />`}
    ${files.length > 0 && html`<details><summary>${files.length < count ? `The first ${counted(files.length, "file")}` : counted(files.length, "file")}</summary>
      <ul class="dataset-files">${files.map((one, index) => html`<li key=${index}><code>${one.file}</code> <span class="muted">${one.detail}</span></li>`)}</ul></details>`}
  </li>`;
}

const COLUMNS = 4; // of the service's sheets, whose cells are 64 px; empty ones are black

/** Without the empty cells of a single row. @param {number} count */
const sizeOf = (count) => ({ width: `${64 * Math.min(count || COLUMNS, COLUMNS)}px`, height: `${64 * Math.ceil((count || COLUMNS) / COLUMNS)}px` });
