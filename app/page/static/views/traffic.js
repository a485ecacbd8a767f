// Traffic of the last minute: rates as numbers with a line of how they went, and latencies by route.
import { Explained } from "../components.js";
import { duration, number } from "../format.js";
import { html, useRef } from "../vendor/vendor.js";

/** @typedef {{ label: string, unit: string, meaning: string, of: (traffic: any) => number | null }} Rate */

/** @type {Rate[]} */
const RATES = [
  { label: "Requests", unit: "/s", meaning: "Responses sent, of all kinds.", of: (traffic) => traffic.requests_per_s },
  { label: "Errors", unit: "/s", meaning: "Responses with a status of 500 or above. 0 is good.", of: (traffic) => traffic.errors_per_s },
  { label: "Cats", unit: "/s", meaning: "Cats sent, those kept from before included.", of: (traffic) => traffic.cats_per_s },
  { label: "Rendered", unit: "/s", meaning: "Images that a generator made.", of: (traffic) => traffic.rendered_per_s },
  { label: "Found in the cache", unit: "%", meaning: "Of the cats looked up, those that did not have to be rendered.", of: ({ cache_hit_share: share }) => share === null ? null : 100 * share },
  { label: "Event loop, p95", unit: "ms", meaning: "How late the front end gets to what is due, in 95 of 100 cases at most. Lower is better.", of: ({ loop_lag_p95_s: lag }) => lag === null ? null : 1000 * lag },
];
const MOST_ROUTES = 8; // the busiest come first
const KEPT = 150; // polls: five minutes
const [WIDTH, HEIGHT] = [120, 28];

/** @param {{ traffic: any }} props */
export function Traffic({ traffic }) {
  const history = useRef(/** @type {any[]} */ ([]));
  if (history.current.at(-1) !== traffic) history.current = [...history.current, traffic].slice(-KEPT);
  return html`<section class="panel"><h2>Traffic <span class="unit">of the last ${duration(traffic.window_s)}</span></h2>
    <dl class="operations-rates">${RATES.map(({ label, unit, meaning, of }) => html`<div key=${label}>
      <dt>${label}<${Explained} label=${`What is “${label}”?`}>${meaning}<//></dt>
      <dd><b>${of(traffic) === null ? "–" : number(/** @type {number} */ (of(traffic)))}</b> <span class="unit">${unit}</span></dd>
      <${Sparkline} values=${history.current.map(of)} /></div>`)}</dl>
    <${Routes} routes=${traffic.routes} />
  </section>`;
}

/** How a number went while one looked; from zero, decorative. @param {{ values: (number | null)[] }} props */
function Sparkline({ values }) {
  const most = Math.max(...values.map((value) => value ?? 0)) || 1;
  const x = (/** @type {number} */ index) => WIDTH * (1 - (values.length - 1 - index) / (KEPT - 1));
  const y = (/** @type {number | null} */ value) => HEIGHT - 1 - ((HEIGHT - 2) * (value ?? 0)) / most;
  const points = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return html`<svg class="operations-spark" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
    <line x1="0" x2=${WIDTH} y1=${HEIGHT - 1} y2=${HEIGHT - 1} /><polyline points=${points} /></svg>`;
}

/** @param {{ routes: any[] }} props */
function Routes({ routes }) {
  if (routes.length === 0) return html`<p class="muted">Nobody has asked for anything in that time.</p>`;
  const time = (/** @type {number | null} */ seconds) => seconds === null ? "–" : seconds < 1 ? `${number(1000 * seconds, 2)} ms` : `${number(seconds, 2)} s`;
  // A stream of events lasts as long as its client looks: that is no latency.
  const shown = routes.filter(({ route }) => !route.endsWith("/events")).slice(0, MOST_ROUTES);
  // Open where there is room for it.
  return html`<details class="operations-routes" open=${matchMedia("(min-width: 720px)").matches}><summary>Latency by route</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Latency by route"><table><thead><tr><th scope="col">Route</th><th scope="col">per s</th><th scope="col">p50</th><th scope="col">p95</th><th scope="col">p99</th></tr></thead>
    <tbody>${shown.map((one) => html`<tr key=${one.route}><th scope="row"><code>${one.route}</code></th>
      <td>${number(one.requests_per_s)}</td><td>${time(one.p50_s)}</td><td>${time(one.p95_s)}</td><td>${time(one.p99_s)}</td></tr>`)}</tbody>
  </table></div></details>`;
}
