// One job: what it is, how far it is, how it ended, and its history.
import { post, remove } from "../api.js";
import { ActionButton, Badge, Button, Dialog, Failure, Loading, MetricValue, ProgressBar } from "../components.js";
import { ago, duration, moment, number } from "../format.js";
import { ENDED, titleOf, workOf } from "../jobs.js";
import { useResource } from "../load.js";
import { address, go, usePlace } from "../router.js";
import { useHistory, useJobs } from "../stream.js";
import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { Replay } from "./replay.js";

/** @typedef {import("../stream.js").Job} Job */

/** @param {{ id: string }} props */
export function JobView({ id }) {
  const live = useJobs()?.get(id);
  // The stream knows recent jobs only; an old one is asked for by itself.
  const asked = useResource(`/jobs/${encodeURIComponent(id)}`);
  const isGone = [404, 410].includes(asked.problem?.status ?? 0);
  const job = live ?? (isGone ? undefined : asked.data);
  const wasLive = useRef(false);
  useEffect(() => {
    if (wasLive.current && !live) asked.reload(); // deleted while one looks at it
    wasLive.current = Boolean(live);
  }, [live === undefined]);
  const entries = useHistory(id);
  usePlace(job !== undefined);
  if (!job) {
    return html`<section class="content"><h1 tabindex="-1">Job ${id}</h1>
      ${asked.problem ? html`<${Failure} problem=${asked.problem} onRetry=${asked.reload} />` : html`<${Loading} />`}</section>`;
  }
  return html`<section class="content job">
    <header class="job-head">
      <div><h1 tabindex="-1">${titleOf(job)}</h1><p class="muted">${subtitle(job)}</p></div>
      <${Badge} status=${job.status} />
      <${Actions} job=${job} />
    </header>
    <${Outcome} job=${job} />
    ${!ENDED.includes(job.status) && html`<${Phases} job=${job} />`}
    ${job.kind === "train" && html`<${Replay} job=${job} entries=${entries} />`}
  </section>`;
}

/** @param {Job} job */
function subtitle({ order, created_at, kind }) {
  const { budget, size_px } = order;
  const what = kind === "train" ? `${size_px} px, ${budget.kimg ? `${number(budget.kimg)} kimg` : `${number(budget.minutes)} min`}, ` : "";
  return html`${what}ordered <time datetime=${created_at} title=${moment(created_at)}>${ago(created_at)}</time>`;
}

/** @param {{ job: Job }} props */
function Actions({ job }) {
  const [isAsked, setAsked] = useState(false);
  const path = `/jobs/${encodeURIComponent(job.id)}`;
  if (!ENDED.includes(job.status)) {
    return html`<div class="job-actions"><${ActionButton} icon="square" action=${() => post(`${path}/cancel`)} done="Canceling: what was learned is published.">Cancel<//></div>`;
  }
  const isTraining = job.kind === "train";
  return html`<div class="job-actions">
    ${isTraining && html`<${Button} icon="play" href=${address(["training"], { resume: job.id })}>Train further<//>
      <${Button} icon="sliders-horizontal" href=${address(["training"], { again: job.id })}>Order again<//>`}
    <${Button} icon="trash-2" kind="quiet" label="Delete the job and its history" onClick=${() => setAsked(true)} />
    <${Dialog} title="Delete this job?" isOpen=${isAsked} onClose=${() => setAsked(false)}>
      <p>Its history, samples and training state are deleted. What it published stays.</p>
      <footer><${Button} onClick=${() => setAsked(false)}>Keep it<//>
        <${ActionButton} kind="danger" icon="trash-2" done="Job deleted." action=${async () => { await remove(path); go(address(["training"])); }}>Delete<//></footer>
    <//>
  </div>`;
}

/** How it ended, and why. @param {{ job: Job }} props */
function Outcome({ job }) {
  const { collapse, promotion, version, order } = job;
  if (!ENDED.includes(job.status)) return job.reason && html`<p class="muted">${job.reason}</p>`;
  return html`<div class="panel job-outcome">
    ${collapse && html`<${Collapse} job=${job} collapse=${collapse} />`}
    ${job.reason && !collapse && html`<p>${job.reason}</p>`}
    ${promotion && html`<p>${promotion.reason}</p>`}
    ${promotion?.kid !== null && promotion?.kid !== undefined && html`<dl class="facts">
      <${MetricValue} name="kid" value=${promotion.kid} />
      ${promotion.compared_kid !== null && html`<div class="metric"><dt>KID of ${promotion.compared}, in service${promotion.dataset && `, on ${promotion.dataset} too`}</dt><dd>${number(promotion.compared_kid)}</dd></div>`}
    </dl>`}
    ${version && html`<p class="job-links"><a href=${address([""], { model: `${order.model}@${version}` })}>Its cats</a>
      <a href=${address(["models", order.model])}>All versions of ${order.model}</a></p>`}
    ${!version && !job.reason && html`<p>No version was published.</p>`}
  </div>`;
}

/** @param {{ job: Job, collapse: any }} props */
function Collapse({ job, collapse: { rule, meaning, value, limit, is_floor: isFloor, step, kimg, sample, remedy } }) {
  return html`<h2>Collapsed: ${rule}</h2>
    <p>${meaning[0].toUpperCase()}${meaning.slice(1)}: ${value === null ? "not a number" : number(value)}, ${isFloor ? "at least" : "at most"} ${number(limit)} is healthy.
      Found at step ${number(step)}, ${number(kimg)} kimg. ${remedy}</p>
    ${sample && html`<p><a href=${address(["job", job.id], { at: sample })}>See the samples of that moment</a></p>`}`;
}

const PHASES = ["preparing", "training", "measuring", "publishing"];

/** Every phase with how far it is, so that none looks frozen. @param {{ job: Job }} props */
function Phases({ job }) {
  const { phases, progress: p } = job;
  if (job.status === "queued") return html`<p class="panel">Waiting for a worker. <a href=${address(["operations"])}>Look at the queue</a></p>`;
  const shown = job.kind === "train" ? PHASES : [...new Set(phases.map((/** @type {any} */ phase) => phase.name))];
  return html`<ol class="job-phases">${shown.map((name) => {
    const phase = phases.findLast((/** @type {any} */ one) => one.name === name);
    const state = !phase ? "is-ahead" : phase.ended_at ? "is-over" : "is-now";
    const isTraining = name === "training" && job.kind === "train";
    return html`<li key=${name} class=${state} aria-current=${state === "is-now" ? "step" : undefined}>
      <b>${name}</b>
      ${state === "is-now" && html`<${ProgressBar} label=${name} ...${workOf(job, phase)} />
        <span class="muted">${isTraining ? speedOf(p) : phase.task}</span>`}
      ${state === "is-over" && html`<span class="muted">${duration((Date.parse(phase.ended_at) - Date.parse(phase.started_at)) / 1000)}</span>`}
    </li>`;
  })}</ol>`;
}

/** @param {any} progress */
const speedOf = ({ kimg, images_per_s: speed }) => `${number(kimg)} kimg${speed ? `, ${number(speed)} images/s` : ""}`;
