// What is done and what waits: running jobs, the queue, workers, and clearing away what is over.
import { get, Problem, post, remove } from "../api.js";
import { ActionButton, Badge, Button, Dialog, ProgressBar, say } from "../components.js";
import { ago, bytes, counted, duration } from "../format.js";
import { ENDED, FAILED, titleOf, workOf } from "../jobs.js";
import { address } from "../router.js";
import { useJobs } from "../stream.js";
import { html, useState } from "../vendor/vendor.js";

/** @typedef {import("../stream.js").Job} Job */

/** @param {boolean} isEmpty Then it takes one line. */
const panel = (isEmpty) => `panel ${isEmpty ? "is-empty" : ""}`;

/** @param {{ job: Job }} props */
function JobLink({ job }) {
  const { id, kind, order } = job;
  return html`<a href=${address(["job", id])} id=${`job-${id}`}>${titleOf(job)}${kind === "train" && `, ${order.size_px} px`}</a>`;
}

/** @param {{ id: string }} props */
const Cancel = ({ id }) => html`<${ActionButton} icon="x" kind="quiet" label=${`Cancel job ${id}`}
  action=${() => post(`/jobs/${encodeURIComponent(id)}/cancel`)} done="Canceling." />`;

/** @param {{ jobs: Job[] }} props */
export function Running({ jobs }) {
  return html`<section class=${panel(jobs.length === 0)}><h2>Running</h2>
    ${jobs.length === 0 ? html`<p class="muted">No job is running.</p>` : html`<ul class="rows">${jobs.map((job) => html`<li key=${job.id}>
      <div class="operations-job"><p><${JobLink} job=${job} /> <span class="muted">${job.phase ?? "starting"}${job.runner === "cli" && ", at a terminal"}</span></p>
        <${ProgressBar} label=${`Progress of ${job.id}`} ...${workOf(job)} /></div>
      <${Cancel} id=${job.id} /></li>`)}</ul>`}
  </section>`;
}

/** @param {{ queue: any[], workers: any[], isKnown: boolean }} props */
export function Queue({ queue, workers, isKnown }) {
  const isStuck = isKnown && workers.length === 0;
  return html`<section class=${panel(queue.length === 0)}><h2>Queue${queue.length > 0 && html` <span class="unit">${counted(queue.length, "job")}</span>`}</h2>
    ${queue.length === 0 ? html`<p class="muted">No job waits.</p>` : html`<ol class="rows">${queue.map(({ position, waiting_s: waitingS, job }) => html`<li key=${job.id}>
      <span class="operations-position">${position}</span>
      <p class="operations-job"><${JobLink} job=${job} /> <span class=${isStuck ? "operations-stuck" : "muted"}>waiting for ${duration(Math.max(1, waitingS))}</span>${job.reason && html`<br /><span class="muted">${job.reason}</span>`}</p>
      <${Cancel} id=${job.id} /></li>`)}</ol>`}
    ${!isKnown && queue.length > 0 && html`<p class="muted">By time of order: the queue itself cannot be read now.</p>`}
  </section>`;
}

/** @param {{ workers: any[], isKnown: boolean }} props */
export function Workers({ workers, isKnown }) {
  if (workers.length === 0) {
    return html`<section class=${panel(true)}><h2>Workers</h2><p class="muted">${isKnown ? "None is alive. “cattery serve” starts one; on another machine, “cattery worker”." : "Unknown: Redis, which knows them, does not respond."}</p></section>`;
  }
  return html`<section class="panel"><h2>Workers</h2><ul class="rows">${workers.map((worker) => html`<li key=${worker.name}>
    <div class="operations-job"><p class="operations-worker"><${Badge} status=${worker.state === "busy" ? "started" : "queued"}>${worker.state}<//>
        <b title=${worker.name}>${shortened(worker.name)}</b>${worker.job && html`<a href=${address(["job", worker.job])}>job ${worker.job}</a>`}</p>
      <p class="muted operations-worker">${[
        worker.host,
        memoryOf(worker),
        worker.seen_at && `seen ${ago(worker.seen_at)}`,
      ].filter(Boolean).map((text) => html`<span key=${text}>${text}</span>`)}</p></div></li>`)}</ul></section>`;
}

/** Names that nobody chose are 32 digits. @param {string} name */
const shortened = (name) => (/^[0-9a-f]{32}$/.test(name) ? name.slice(0, 8) : name);

/** @param {any} worker */
function memoryOf({ rss_bytes: rss, device }) {
  const own = rss === null ? "memory unknown" : `${bytes(rss)} of memory`;
  return device.total_bytes === null ? `${own}, on ${device.name}` : `${own}, ${bytes(device.used_bytes)} of ${bytes(device.total_bytes)} on ${device.name}`;
}

/** Jobs that are over, by how they ended; and a way to be rid of them. */
export function Ended() {
  const jobs = useJobs();
  const [asked, setAsked] = useState(/** @type {string[] | null} */ (null));
  if (jobs === undefined) return html`<section class=${panel(true)}><h2>Ended</h2><p class="muted">Loading…</p></section>`;
  const counts = ENDED.map((status) => ({ status, count: [...jobs.values()].filter((job) => job.status === status).length })).filter(({ count }) => count > 0);
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  const hasFailed = counts.some(({ status }) => FAILED.includes(status));
  return html`<section class=${panel(total === 0)}><h2>Ended</h2>
    ${total === 0 ? html`<p class="muted">No job has ended yet.</p>` : html`
      <p class="operations-worker">${counts.map(({ status, count }) => html`<${Badge} key=${status} status=${status}>${count} ${status}<//>`)}</p>
      <p class="buttons">${hasFailed && html`<${Button} icon="trash-2" onClick=${() => setAsked(FAILED)}>Delete all but finished<//>`}
        <${Button} icon="trash-2" onClick=${() => setAsked(ENDED)}>Delete all ended<//></p>`}
    <${Dialog} title="Delete ended jobs?" isOpen=${asked !== null} onClose=${() => setAsked(null)}>
      <p>Histories, samples and training states of all jobs that are ${(asked ?? []).join(", ")} are deleted. What they published stays.</p>
      <footer><${Button} onClick=${() => setAsked(null)}>Keep them<//>
        <${ActionButton} kind="danger" icon="trash-2" action=${async () => { await clear(asked ?? []); setAsked(null); }}>Delete<//></footer>
    <//>
  </section>`;
}

/** Delete all jobs that ended so, and say how many. @param {string[]} statuses */
async function clear(statuses) {
  const { jobs } = await get("/jobs?limit=1000");
  let deleted = 0;
  const kept = new Set();
  for (const { id } of jobs.filter((/** @type {Job} */ { status }) => statuses.includes(status))) {
    try {
      await remove(`/jobs/${encodeURIComponent(id)}`);
      deleted += 1;
    } catch (err) {
      // Another job goes on from this one, or somebody else has deleted it.
      if (!(err instanceof Problem) || ![404, 409, 410].includes(err.status)) throw err;
      if (err.status === 409) kept.add(err.message);
    }
  }
  say([`${counted(deleted, "job")} deleted.`, ...kept].join(" "), kept.size ? "problem" : "done");
}
