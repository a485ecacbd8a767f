// Plots over the course of a training: uPlot, with what it lacks: labels at the lines, a table for
// screen readers, arrow keys, and one cursor shared by all plots and the scrubber.
import { number } from "./format.js";
import { effect, html, signal, uPlot, useEffect, useId, useMemo, useRef, useState } from "./vendor/vendor.js";

/**
 * @typedef {object} Series
 * @property {string} label
 * @property {(number | null)[]} values One for each x; null where there is none.
 * @property {[(number | null)[], (number | null)[]]} [band] Least and greatest, drawn behind the line.
 */

/**
 * @typedef {object} Axis What can be on the x axis; all have the same length.
 * @property {number[]} kimg
 * @property {number[]} [minutes]
 * @property {number[]} [steps]
 */

/** @typedef {"kimg" | "minutes" | "steps"} Unit */

/** Where all plots' cursors stand, in kimg; null for nowhere. @type {import("./vendor/vendor.js").Signal<number | null>} */
export const cursor = signal(null);

/** What is on the x axis of all plots. @type {import("./vendor/vendor.js").Signal<Unit>} */
export const unit = signal(/** @type {Unit} */ ("kimg"));

/** Okabe and Ito's colors without yellow, told apart by the color-blind; dark ones for light pages. */
const COLORS = {
  light: ["#0072b2", "#b34700", "#007a5a", "#a3417e", "#1a6fa0", "#5c5c5c"],
  dark: ["#56b4e9", "#f0a15a", "#2fc79b", "#dd8fc0", "#8ccbf2", "#b9b9b9"],
};
const HEIGHT = 220;
const LETTER_PX = 6.5; // of a label at the lines
const ROWS = 25;

/**
 * A plot of one or several series.
 * @param {object} props
 * @param {string} props.title
 * @param {string} [props.note] Which way is better, or what it means.
 * @param {string} [props.unit] Unit of the values.
 * @param {Axis} props.x
 * @param {Series[]} props.series
 * @param {boolean} [props.isLog] Whether the y axis begins as a logarithmic one.
 */
export function Plot({ title, note, unit: valueUnit = "", x, series, isLog = false }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [scales, setScales] = useState({ x: false, y: isLog });
  const id = useId();
  const xs = useMemo(() => (scales.x ? aboveZero(x[unit.value] ?? x.kimg) : x[unit.value] ?? x.kimg), [x, unit.value, scales.x]);
  const xUnit = x[unit.value] ? unit.value : "kimg";
  const shown = useMemo(() => series.map((one) => ({ ...one, values: scales.y ? positive(one.values) : one.values })), [series, scales.y]);
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const shape = `${xUnit} ${scales.x} ${scales.y} ${series.map((one) => `${one.label} ${Boolean(one.band)}`)}`;
  const kimgs = useRef(x.kimg);
  kimgs.current = x.kimg;
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    /** @param {number | null} index Null when the pointer leaves: then the line stays where it was. */
    const onPoint = (index) => {
      if (index === null) moveCursor(plot.current, cursor.peek(), kimgs.current);
      else cursor.value = kimgs.current[index] ?? null;
    };
    const theme = matchMedia("(prefers-color-scheme: dark)");
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element, shown, scales, xUnit, onPoint), tableOf(xs, shown), element);
    };
    draw();
    theme.addEventListener("change", draw);
    const watch = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      theme.removeEventListener("change", draw);
      watch.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(tableOf(xs, shown)), [xs, shown]);
  // The signal is in kimg, whatever the axis shows.
  useEffect(() => effect(() => moveCursor(plot.current, cursor.value, x.kimg)), [x, shape]);
  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = cursor.value === null ? x.kimg.length - 1 : nearest(x.kimg, cursor.value);
    cursor.value = x.kimg[Math.max(0, Math.min(x.kimg.length - 1, at + step))];
  }
  const index = cursor.value === null ? x.kimg.length - 1 : nearest(x.kimg, cursor.value);
  const reading = `${number(xs[index])} ${xUnit}: ${series.map((one) => `${one.label} ${read(one.values[index])}`).join(", ")}`;
  return html`<figure class="plot" aria-labelledby=${id}>
    <figcaption><span id=${id}><b>${title}</b>${valueUnit && html` <span class="unit">${valueUnit}</span>`}${note && html` <span class="better">${note}</span>`}</span>
      <span class="scales">
        ${/** @type {("y" | "x")[]} */ (["y", "x"]).map((axis) => html`<button type="button" class="chip" aria-pressed=${scales[axis]} onClick=${() => setScales({ ...scales, [axis]: !scales[axis] })}>log ${axis}</button>`)}
      </span></figcaption>
    <div class="canvas" ref=${box} tabindex="0" role="application" aria-label=${`${title}: arrow keys move the cursor`} onKeyDown=${onKey}></div>
    <p class="reading" aria-live="polite">${reading}</p>
    <${DataTable} title=${title} xs=${xs} unit=${xUnit} series=${series} />
  </figure>`;
}

/** The same in numbers, for screen readers: at most 25 rows. @param {{ title: string, xs: number[], unit: string, series: Series[] }} props */
function DataTable({ title, xs, unit: name, series }) {
  const step = Math.max(1, Math.ceil(xs.length / ROWS));
  const rows = xs.map((_, index) => index).filter((index) => (xs.length - 1 - index) % step === 0);
  // In a box: a table is as wide as its columns, and a phone would zoom out to show what is hidden.
  return html`<div class="visually-hidden"><table><caption>${title}</caption>
    <thead><tr><th scope="col">${name}</th>${series.map((one) => html`<th scope="col">${one.label}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row}><th scope="row">${number(xs[row])}</th>${series.map((one) => html`<td>${read(one.values[row])}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** @param {number | null | undefined} value */
const read = (value) => (value === null || value === undefined ? "none" : number(value));

/** A logarithm has no zero. @param {(number | null)[]} values */
const positive = (values) => values.map((value) => (value !== null && value > 0 ? value : null));

/** The same for x, where no value may be missing. @param {number[]} xs */
function aboveZero(xs) {
  const least = xs.find((value) => value > 0) ?? 1;
  return xs.map((value) => (value > 0 ? value : least / 2));
}

/** @param {number[]} sorted @param {number} value @returns {number} Index of the nearest. */
export function nearest(sorted, value) {
  let low = 0;
  for (let high = sorted.length - 1; low < high; ) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low > 0 && value - sorted[low - 1] < sorted[low] - value ? low - 1 : low;
}

/** Columns as uPlot takes them: x, then lines, then the bounds of bands. @param {number[]} xs @param {Series[]} series @returns {any} */
function tableOf(xs, series) {
  return [xs, ...series.map((one) => one.values), ...series.flatMap((one) => one.band ?? [])];
}

/** @param {uPlot | null} plot @param {number | null} kimg @param {number[]} kimgs */
function moveCursor(plot, kimg, kimgs) {
  if (!plot) return;
  if (kimg === null) return plot.setCursor({ left: -10, top: -10 }, false);
  const at = plot.data[0][nearest(kimgs, kimg)];
  if (at !== undefined) plot.setCursor({ left: plot.valToPos(at, "x"), top: 0 }, false);
}

/**
 * @param {HTMLElement} element @param {Series[]} series @param {{ x: boolean, y: boolean }} scales
 * @param {string} xUnit @param {(index: number | null) => void} onPoint @returns {uPlot.Options}
 */
function options(element, series, scales, xUnit, onPoint) {
  const style = getComputedStyle(element);
  const [ink, line] = [style.getPropertyValue("--ink-2"), style.getPropertyValue("--line")];
  const colors = COLORS[matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"];
  const font = `12px ${style.fontFamily}`;
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const bounds = series.flatMap((one, index) => (one.band ? [index, index] : []));
  const first = series.length + 1;
  /** @type {MouseEvent | null | undefined} */
  let seen;
  /** @type {uPlot.Band[]} */
  const bands = [...new Set(bounds)].map((owner, index) => ({
    series: [first + 2 * index + 1, first + 2 * index], fill: `${colors[owner % colors.length]}30`,
  }));
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [12, 12 + LETTER_PX * Math.max(...series.map((one) => one.label.length)), 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: true, y: false } },
    scales: { x: { time: false, distr: scales.x ? 3 : 1 }, y: scales.y ? { distr: 3, range: (_, least, most) => [least * 0.9, most * 1.1] } : {} },
    axes: [
      { ...axis, label: xUnit, labelFont: font, labelSize: 18, labelGap: -4, size: 28, grid: { show: false } },
      { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick))) },
    ],
    series: [
      {},
      ...series.map((one, index) => ({ label: one.label, stroke: colors[index % colors.length], width: 1.5, points: { show: false }, spanGaps: true })),
      ...bounds.map(() => ({ width: 0, points: { show: false } })),
    ],
    bands,
    hooks: {
      draw: [(plot) => label(plot, series, colors, font)],
      // uPlot also calls this when data or size change: only a new event is the pointer's.
      setCursor: [({ cursor: { event, idx } }) => {
        if (!event || event === seen) return;
        seen = event;
        onPoint(idx ?? null);
      }],
    },
  };
}

/** Write each line's name at its end, apart from one another. @param {uPlot} plot @param {Series[]} series @param {string[]} colors @param {string} font */
function label(plot, series, colors, font) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const ends = series.flatMap((one, index) => {
    const last = one.values.findLastIndex((value) => value !== null);
    const value = one.values[last];
    if (value === null || value === undefined) return [];
    return [{ text: one.label, color: colors[index % colors.length], y: plot.valToPos(value, "y", true) }];
  }).sort((one, other) => one.y - other.y);
  ends.forEach((end, index) => {
    if (index > 0) end.y = Math.max(end.y, ends[index - 1].y + 14 * ratio);
  });
  ctx.save();
  ctx.font = font.replace("12px", `${12 * ratio}px`);
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  for (const end of ends) {
    ctx.fillStyle = end.color;
    ctx.fillText(end.text, bbox.left + bbox.width + 6 * ratio, end.y);
  }
  ctx.restore();
}
