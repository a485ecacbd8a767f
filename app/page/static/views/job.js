// One job: its progress, live, and its whole history under one scrubber.
import { post, remove, url } from "../api.js";
import { ActionButton, Badge, Button, Dialog, Failure, Loading, MetricValue, ProgressBar } from "../components.js";
import { ago, duration, moment, number } from "../format.js";
import { courseOf } from "../history.js";
import { useResource } from "../load.js";
import { cursor, Plot, unit } from "../plots.js";
import { address, go, replace, route, usePlace } from "../router.js";
import { useHistory, useJobs } from "../stream.js";
import { html, useEffect, useMemo, useRef, useState } from "../vendor/vendor.js";

/** @typedef {import("../stream.js").Job} Job */
/** @typedef {import("../history.js").Course} Course */

const ENDED = ["finished", "failed", "canceled", "collapsed"];
const UNITS = /** @type {const} */ (["kimg", "minutes", "steps"]);

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
  const title = job.kind === "train" ? `${job.order.recipe} on ${job.order.dataset}` : `Import of ${job.order.name ?? job.order.dataset}`;
  return html`<section class="content job">
    <header class="job-head">
      <div><h1 tabindex="-1">${title}</h1><p class="muted">${subtitle(job)}</p></div>
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
    <p>${meaning}: ${value === null ? "not a number" : number(value)}, ${isFloor ? "at least" : "at most"} ${number(limit)} is healthy.
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
    const work = isTraining
      ? { done: p.training_s_total ? p.training_s : p.kimg, total: p.training_s_total ?? p.kimg_total, etaS: p.eta_s }
      : { done: phase?.done ?? 0, total: phase?.total, etaS: phase?.eta_s };
    return html`<li key=${name} class=${state} aria-current=${state === "is-now" ? "step" : undefined}>
      <b>${name}</b>
      ${state === "is-now" && html`<${ProgressBar} label=${name} value=${work.done} max=${work.total} etaS=${work.etaS} />
        <span class="muted">${isTraining ? speedOf(p) : phase.task}</span>`}
      ${state === "is-over" && html`<span class="muted">${duration((Date.parse(phase.ended_at) - Date.parse(phase.started_at)) / 1000)}</span>`}
    </li>`;
  })}</ol>`;
}

/** @param {any} progress */
const speedOf = ({ kimg, images_per_s: speed }) => `${number(kimg)} kimg${speed ? `, ${number(speed)} images/s` : ""}`;

/** The history: sheet, plots and events move together. @param {{ job: Job, entries: import("../stream.js").Entry[] }} props */
function Replay({ job, entries }) {
  const course = useMemo(() => courseOf(entries), [entries]);
  useMoment(job.id);
  if (course.sheets.length === 0) return null;
  const at = cursor.value ?? course.end;
  const sheet = sheetAt(course.sheets, at);
  return html`<div class="job-replay">
    <div class="job-now">
      <${Sheet} job=${job} sheets=${course.sheets} label=${sheet} />
      <${Scrubber} course=${course} at=${at} isLive=${!ENDED.includes(job.status)} />
    </div>
    <div class="job-plots">
      <p class="job-units" role="group" aria-label="Unit of the plots">${UNITS.map((name) => html`<button type="button" class="chip" aria-pressed=${unit.value === name} onClick=${() => (unit.value = name)}>${name}</button>`)}
        <span class="job-files"><a href=${url(`/jobs/${job.id}/metrics.csv`)} download>CSV</a> <a href=${url(`/jobs/${job.id}/film.webp`)}>Film</a></span></p>
      ${course.losses.length > 0 && html`<${Plot} title="Losses" x=${course.x} series=${course.losses} />`}
      ${course.metricX.kimg.length > 0 && html`<${Plot} title="KID" note="lower is better" x=${course.metricX} series=${course.metrics} isLog />`}
    </div>
    <${Happenings} course=${course} at=${at} />
  </div>`;
}

/** Keep the moment that sheet, plots and events show in the address. @param {string} job */
function useMoment(job) {
  const here = route.value;
  useEffect(() => {
    const asked = here.query.get("at");
    cursor.value = asked !== null && Number.isFinite(Number(asked)) ? Number(asked) : null;
    return () => void (cursor.value = null);
  }, [job, here]);
  useEffect(() => {
    // Not the value of this rendering: the first one comes before the address was read.
    const timer = setTimeout(() => {
      const at = cursor.peek();
      replace(address(["job", job], { at: at === null ? null : Math.round(at * 1000) / 1000 }), true);
    }, 150);
    return () => clearTimeout(timer);
  }, [cursor.value]);
}

/** @param {string[]} sheets @param {number} at @returns {string} The last sheet that was there by then. */
function sheetAt(sheets, at) {
  return sheets.findLast((label) => Number(label) <= at + 1e-6) ?? sheets[0];
}

/** @param {{ job: Job, sheets: string[], label: string }} props */
function Sheet({ job, sheets, label }) {
  const of = (/** @type {string} */ one) => url(`/jobs/${job.id}/samples/${one}.png`);
  useEffect(() => {
    // Fetched ahead, so that scrubbing shows each at once.
    for (const one of sheets) new Image().src = of(one);
  }, [job.id, sheets.length]);
  return html`<figure class="job-sheet"><img src=${of(label)} alt=${`Samples after ${label} kimg, always of the same seeds`} />
    <figcaption>Samples after <b>${label}</b> kimg, always of the same seeds</figcaption></figure>`;
}

/** @param {{ course: Course, at: number, isLive: boolean }} props */
function Scrubber({ course: { sheets, end }, at, isLive }) {
  /** @param {number} direction */
  function step(direction) {
    const index = sheets.indexOf(sheetAt(sheets, at)) + direction;
    cursor.value = Number(sheets[Math.max(0, Math.min(sheets.length - 1, index))]);
  }
  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (direction === undefined) return;
    event.preventDefault();
    step(direction);
  }
  return html`<div class="job-scrubber">
    <${Button} icon="arrow-left" label="Previous samples" kind="quiet" onClick=${() => step(-1)} />
    <input type="range" id="scrubber" min="0" max=${end} step="any" value=${Math.min(at, end)} aria-label="Moment of the training"
      aria-valuetext=${`${number(at)} kimg`} list="sheets" onInput=${(/** @type {any} */ event) => (cursor.value = Number(event.target.value))} onKeyDown=${onKey} />
    <datalist id="sheets">${sheets.map((label) => html`<option value=${label} />`)}</datalist>
    <${Button} icon="arrow-right" label="Next samples" kind="quiet" onClick=${() => step(1)} />
    <button type="button" class="chip" aria-pressed=${cursor.value === null} onClick=${() => (cursor.value = null)}>${isLive ? "Live" : "End"}</button>
  </div>`;
}

/** @param {{ course: Course, at: number }} props */
function Happenings({ course: { happenings }, at }) {
  const current = happenings.findLast(({ kimg }) => kimg <= at + 1e-6)?.seq;
  const list = useRef(/** @type {HTMLOListElement | null} */ (null));
  useEffect(() => {
    const row = list.current?.querySelector("[aria-current]");
    // The list's own scroll, not `scrollIntoView`, which would move the page.
    if (list.current && row instanceof HTMLElement) list.current.scrollTop = row.offsetTop - list.current.clientHeight / 2;
  }, [current]);
  return html`<section class="job-events"><h2>Events</h2><ol ref=${list}>${happenings.map(({ seq, at: when, kimg, title, detail }) => html`
    <li key=${seq} aria-current=${seq === current ? "true" : undefined} class=${kimg > at + 1e-6 ? "is-ahead" : ""}>
      <button type="button" onClick=${() => (cursor.value = kimg)}><span class="mono">${number(kimg)} kimg</span> <b>${title}</b> ${detail}</button>
      <time class="muted" datetime=${when}>${moment(when)}</time></li>`)}</ol></section>`;
}
