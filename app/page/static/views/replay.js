// The whole history of a training under one scrubber: sheet, plots and events move together.
import { url } from "../api.js";
import { Button } from "../components.js";
import { moment, number } from "../format.js";
import { courseOf } from "../history.js";
import { cursor, Plot, unit } from "../plots.js";
import { address, replace, route } from "../router.js";
import { html, useEffect, useMemo, useRef } from "../vendor/vendor.js";

/** @typedef {import("../stream.js").Job} Job */
/** @typedef {import("../history.js").Course} Course */

const UNITS = /** @type {const} */ (["kimg", "minutes", "steps"]);

/** @param {{ job: Job, entries: import("../stream.js").Entry[] }} props */
export function Replay({ job, entries }) {
  const course = useMemo(() => courseOf(entries), [entries]);
  useMoment(job.id);
  if (course.sheets.length === 0) return null;
  const at = cursor.value ?? course.end;
  const sheet = sheetAt(course.sheets, at);
  return html`<div class="job-replay">
    <div class="job-now">
      <${Sheet} job=${job} sheets=${course.sheets} label=${sheet} />
      <${Scrubber} course=${course} at=${at} isLive=${job.ended_at === null} />
    </div>
    <div class="job-plots">
      <p class="job-units" role="group" aria-label="Unit of the plots">${UNITS.map((name) => html`<button type="button" class="chip" aria-pressed=${unit.value === name} onClick=${() => (unit.value = name)}>${name}</button>`)}
        <span class="job-files"><a href=${url(`/jobs/${job.id}/metrics.csv`)} download>CSV</a> <a href=${url(`/jobs/${job.id}/film.webp`)}>Film</a></span></p>
      ${course.losses.length > 0 && html`<${Plot} title="Losses" x=${course.x} series=${course.losses} />`}
      ${course.metricX.kimg.length > 0 && html`<${Plot} title="KID" note="lower is better" x=${course.metricX} series=${course.metrics} isLog />`}
    </div>
  </div>
  <${Happenings} course=${course} at=${at} />`;
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
