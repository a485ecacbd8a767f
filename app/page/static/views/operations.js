// Operations: whether all is well, on one screen.
import { Icon, Loader } from "../components.js";
import { bytes, duration, moment, number } from "../format.js";
import { useResource } from "../load.js";
import { address, usePlace } from "../router.js";
import { html, useRef } from "../vendor/vendor.js";
import { checkOf, findingsOf, verdictOf } from "../verdict.js";
import { Traffic } from "./traffic.js";
import { Ended, Queue, Running, Workers } from "./work.js";

const EVERY_MS = 2000;
const ICONS = { good: "circle-check", warn: "triangle-alert", bad: "circle-alert" };

export function OperationsView() {
  const status = useResource("/status", { everyMs: EVERY_MS });
  const seenAt = useRef("");
  usePlace(status.data !== undefined);
  if (status.data && !status.problem) seenAt.current = new Date().toISOString();
  return html`<section class="content operations"><h1 tabindex="-1">Operations</h1>
    <${Loader} of=${status}>${(/** @type {any} */ data) => html`
      <${Verdict} status=${data} problem=${status.problem} seenAt=${seenAt.current} />
      <div class=${`operations-body ${status.problem ? "is-stale" : ""}`}>
        <div class="operations-work">
          <${Running} jobs=${data.running} />
          <${Queue} queue=${data.queue} workers=${data.workers} isKnown=${data.checks.queue === "ok"} />
          <${Workers} workers=${data.workers} isKnown=${data.checks.queue === "ok"} />
          <${Ended} />
        </div>
        <div class="operations-service">
          <${Traffic} traffic=${data.traffic} />
          <${FrontEnd} status=${data} />
          <${Checks} checks=${data.checks} />
        </div>
      </div>`}<//>
  </section>`;
}

/** @param {{ status: any, problem: import("../api.js").Problem | undefined, seenAt: string }} props */
function Verdict({ status, problem, seenAt }) {
  const findings = problem ? [] : findingsOf(status);
  const { severity, text } = problem
    ? { severity: "bad", text: problem.message }
    : verdictOf(status, findings);
  return html`<div class=${`operations-verdict is-${severity}`} role="status">
    <p><${Icon} name=${/** @type {any} */ (ICONS)[severity]} /><b>${text}</b></p>
    ${problem && html`<p class="muted">Asked again every ${EVERY_MS / 1000} s. What is below is from ${moment(seenAt)}.</p>`}
    ${findings.length > 0 && html`<ul>${findings.map((one) => html`<li key=${one.text} class=${`is-${one.severity}`}>
      <${Icon} name=${ICONS[one.severity]} /><p>${one.text} <span class="muted">${one.remedy}</span></p></li>`)}</ul>`}
  </div>`;
}

/** @param {{ status: any }} props */
function FrontEnd({ status: { service: s, version, uptime_s: uptimeS, started_at: startedAt, store_free_bytes: storeFree, data_free_bytes: dataFree } }) {
  const { device } = s;
  /** @type {[string, any][]} */
  const facts = [
    ["Release", version],
    ["Running for", html`<time datetime=${startedAt} title=${moment(startedAt)}>${duration(uptimeS)}</time>`],
    ["Process", `${s.pid} on ${s.host}`],
    ["Device", html`${device.name}${device.total_bytes !== null && html`<${Meter} label="Memory of the device" value=${device.used_bytes} max=${device.total_bytes} text=${bytes} />`}`],
    ["Memory", s.rss_bytes === null ? "unknown" : bytes(s.rss_bytes)],
    ["Weights", bytes(s.weights_bytes)],
    ["Rendered cats kept", bytes(s.cache_bytes)],
    ["Free for the store", storeFree === null ? "no limit" : bytes(storeFree)],
    ["Free for data", dataFree === null ? "unknown" : bytes(dataFree)],
    ["Images waiting", html`<${Meter} label="Images waiting" value=${s.waiting_images} max=${s.max_waiting_images} text=${number} />`],
    ["Connections", html`<${Meter} label="Connections" value=${s.connections} max=${s.max_connections} text=${number} />`],
  ];
  return html`<section class="panel"><h2>This front end</h2>
    <dl class="operations-facts">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    <h3>Loaded versions</h3>
    <p class="operations-loaded">${s.loaded.length === 0 ? html`<span class="muted">None; a request loads one.</span>` : s.loaded.map((/** @type {string} */ name) => html`
      <a key=${name} href=${address(["models", name.split("@")[0]])}>${name}</a>`)}</p>
  </section>`;
}

/** How much of a limit is used. @param {{ label: string, value: number, max: number, text: (value: number) => string }} props */
function Meter({ label, value, max, text }) {
  return html`<span class="operations-meter"><meter aria-label=${label} min="0" max=${max} high=${0.9 * max} value=${value}></meter>
    <span>${text(value)} <span class="unit">of ${text(max)}</span></span></span>`;
}

/** @param {{ checks: Record<string, string> }} props */
function Checks({ checks }) {
  return html`<section class="panel"><h2>Health checks</h2>
    <ul class="operations-checks">${Object.entries(checks).map(([name, state]) => {
      const { label, severity, remedy } = checkOf(name);
      const isWell = state === "ok";
      return html`<li key=${name} class=${`is-${isWell ? "good" : severity}`}><${Icon} name=${ICONS[isWell ? "good" : severity]} />
        <p>${label}: ${state}${!isWell && html` <span class="muted">${remedy}</span>`}</p></li>`;
    })}</ul></section>`;
}
