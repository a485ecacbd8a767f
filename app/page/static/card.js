// A version's card as facts.
import { MetricValue } from "./components.js";
import { counted, duration, moment, number } from "./format.js";
import { METRICS } from "./metrics.js";
import { address } from "./router.js";
import { html } from "./vendor/vendor.js";

/** @param {{ card: Record<string, any> }} props A version, as `GET /models/{model}/versions/{version}` returns it. */
export function CardFacts({ card }) {
  const { dataset } = card;
  /** @type {[string, any][]} */
  const facts = [
    ["Version", html`<code>${card.version}</code>${card.alias === "serving" ? " in service" : ""}`],
    ["Recipe", `${card.recipe}, ${card.size_px} px`],
    ["Trained", [`${number(card.kimg)} kimg`, card.training_s && `in ${duration(card.training_s)}`, card.created_at && moment(card.created_at)].filter(Boolean).join(", ")],
    ["On", dataset.name && `${dataset.name}: ${counted(dataset.pictures ?? 0, "picture")}`],
    ["License of the pictures", dataset.license],
    ["Hardware", card.hardware],
    ["Job", card.job && html`<a href=${address(["job", card.job])}>${card.job}</a>`],
  ];
  return html`${measurements(card.metrics).map(([measured, metrics]) => html`<section class="card-metrics" key=${measured}>
    <h3>Measured ${measured}</h3>
    <dl class="facts card-facts">${metrics.map((one) => html`<${MetricValue} key=${one.name} name=${one.name} value=${one.value} interval=${one.interval} />`)}</dl>
  </section>`)}
  <dl class="facts card-facts">
    ${facts.filter(([, fact]) => fact).map(([label, fact]) => html`<div key=${label}><dt>${label}</dt><dd>${fact}</dd></div>`)}
  </dl>`;
}

/**
 * Metrics by how they were measured: figures of two protocols or datasets do not compare.
 * @param {Record<string, any>[]} metrics
 * @returns {[string, Record<string, any>[]][]}
 */
export function measurements(metrics) {
  /** @type {Map<string, Record<string, any>[]>} */
  const groups = new Map();
  for (const one of metrics) {
    if (!Object.hasOwn(METRICS, one.name) || typeof one.value !== "number") continue;
    const { name, dataset, fakes } = one.protocol ?? {};
    const how = [dataset && `on ${dataset}`, name && `by protocol ${name}`, fakes && `${number(fakes)} cats`].filter(Boolean).join(", ");
    groups.set(how, [...(groups.get(how) ?? []), one]);
  }
  return [...groups];
}
