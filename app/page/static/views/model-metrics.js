// Metrics of versions side by side, never two in one table that do not compare.
import { basesOf, clearlyBest, measured } from "../comparison.js";
import { Explained } from "../components.js";
import { number } from "../format.js";
import { metric } from "../metrics.js";
import { html, useMemo } from "../vendor/vendor.js";

/** @typedef {import("../comparison.js").Version} Version */
/** @typedef {import("../comparison.js").Figure} Figure */

/** @param {{ shown: Version[] }} props */
export function Metrics({ shown }) {
  const bases = useMemo(() => basesOf(shown), [shown]);
  const unmeasured = shown.filter(({ version }) => !bases.some((basis) => measured(basis).has(version)));
  return html`<section class="model-metrics" aria-labelledby="metrics"><h2 id="metrics">Measured</h2>
    ${bases.length > 1 && html`<p class="model-apart">These versions were not all measured alike. Each group below has its own pictures and its own protocol: figures compare within a group, not between groups.</p>`}
    ${bases.map((basis) => html`<${Group} key=${basis.key} basis=${basis} versions=${shown.map(({ version }) => version)} />`)}
    ${unmeasured.length > 0 && html`<p class="muted">Not measured: ${unmeasured.map(({ version }) => html`<code key=${version}>${version}</code> `)}</p>`}
  </section>`;
}

/** @param {{ basis: import("../comparison.js").Basis, versions: string[] }} props */
function Group({ basis: { protocol, datasets, metrics }, versions }) {
  const { name, size_px: sizePx, reals, fakes, features, fingerprint } = protocol;
  const on = datasets.filter(Boolean).join(" = ") || "unknown pictures";
  return html`<section class="model-basis"><h3>On ${on}, ${sizePx ? `${sizePx} px, ` : ""}${name ? `protocol ${name}` : "unknown protocol"}</h3>
    <p class="muted">${[reals && `${number(reals)} real pictures`, fingerprint && `fingerprint ${fingerprint.slice(0, 12)}`, fakes && `${number(fakes)} generated ones`, features && `features of ${features}`].filter(Boolean).join(", ")}</p>
    <div class="model-figures">${[...metrics].map(([one, figures]) => html`<${MetricTable} key=${one} name=${one} figures=${figures} versions=${versions} />`)}</div>
  </section>`;
}

/** @param {{ name: string, figures: Figure[], versions: string[] }} props */
function MetricTable({ name, figures, versions }) {
  const { label, better, meaning } = metric(name);
  const rows = versions.flatMap((version) => figures.filter((figure) => figure.version === version));
  const best = clearlyBest(rows, better);
  const scale = scaleOf(rows);
  const expected = [...new Set(rows.map((row) => row.expected).filter((value) => value !== undefined))];
  return html`<table class="model-metric">
    <caption>${label}${meaning && html`<${Explained} label=${`What is ${label}?`}>${meaning}<//>`} ${better && html`<span class="better">${better} is better</span>`}</caption>
    <colgroup><col class="model-of" /><col /><col class="model-number" /></colgroup>
    <thead class="visually-hidden"><tr><th scope="col">Version</th><th scope="col">Place</th><th scope="col">Value</th></tr></thead>
    <tbody>${rows.map(({ version, value, interval }) => html`<tr key=${version}>
      <th scope="row"><code>${version.slice(0, 6)}</code></th>
      <td>${rows.length > 1 && html`<${Place} scale=${scale} value=${value} interval=${interval} />`}</td>
      <td class="model-value"><b>${number(value)}</b>${interval && html` <span class="interval" title="95 % interval">${number(interval[0])} to ${number(interval[1])}</span>`}
        ${version === best && html`<span class="model-best">clearly best</span>`}</td></tr>`)}</tbody>
    ${expected.length === 1 && html`<tfoot><tr><td colspan="3" class="muted">${number(/** @type {number} */ (expected[0]))} for real pictures</td></tr></tfoot>`}
  </table>`;
}

/** From and to, over all figures and zero: bars that begin elsewhere would exaggerate. @param {Figure[]} figures */
function scaleOf(figures) {
  return Math.max(1e-12, ...figures.flatMap(({ value, interval = [] }) => [value, ...interval]));
}

/** A bar from zero, with a whisker for the interval. @param {{ scale: number, value: number, interval?: number[] | undefined }} props */
function Place({ scale, value, interval }) {
  const at = (/** @type {number} */ x) => `${Math.max(0, Math.min(100, (100 * x) / scale))}%`;
  return html`<div class="model-bar" aria-hidden="true"><span style=${{ width: at(value) }}></span>
    ${interval && html`<i style=${{ left: at(interval[0]), width: `calc(${at(interval[1])} - ${at(interval[0])})` }}></i>`}</div>`;
}
