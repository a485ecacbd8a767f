// The wall: cats by their seeds, without end, from edge to edge.
import { useBar } from "../bar.js";
import { Empty, Loader, copy } from "../components.js";
import { MAX_SEED, permalink, useModels } from "../models.js";
import { address, go, lastPlace, remember, remembered, replace, route, usePlace } from "../router.js";
import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "../vendor/vendor.js";
import { WallControls } from "./wall-controls.js";

/** @typedef {import("../models.js").ModelSummary} ModelSummary */
/** @typedef {{ model: string, version: string, isPinned: boolean, sizePx: number, seed: number, truncation: string }} Wall */

const OVERSCAN = 4; // rows beyond the window that are there already
const AHEAD = 60; // rows that one can scroll to at once
const ABOVE = 20_000; // rows before the first one of the address; browsers limit an element's height
const RETRIES_MS = [1000, 3000, 9000];

/** Seed of the first cat in the window. */
export const firstSeed = signal(0);

export function GalleryView() {
  const models = useModels();
  return html`<h1 class="visually-hidden" tabindex="-1">Cats</h1>
    <${Loader} of=${models}>${(/** @type {{ default: string, models: ModelSummary[] }} */ { default: name, models: all }) => {
      const wall = wallOf(route.value.query, name, all);
      return wall
        ? html`<${WallView} key=${`${route.value.key} ${wall.model}@${wall.version} ${wall.truncation}`} wall=${wall} models=${all} />`
        : html`<${NoCats} models=${all} />`;
    }}<//>`;
}

/**
 * What the address asks for; null if there is no such model, or it is not in service.
 * @param {URLSearchParams} query @param {string} name The default model. @param {ModelSummary[]} all
 * @returns {Wall | null}
 */
function wallOf(query, name, all) {
  const [model, version] = (query.get("model") ?? name).split("@");
  const found = all.find((one) => one.name === model) ?? (query.has("model") ? undefined : all.find((one) => one.serving));
  const shown = version || found?.serving;
  if (!found || !shown) return null;
  const seed = Math.min(MAX_SEED - 1000, Math.max(0, Math.floor(Number(query.get("seed")) || 0)));
  const truncation = query.get("truncation") ?? "";
  return { model: found.name, version: shown, isPinned: Boolean(version), sizePx: found.size_px, seed, truncation };
}

/** Return the address of a wall. @param {Wall} wall @param {Partial<Wall>} [changes] */
export function wallAddress(wall, changes = {}) {
  const { model, version, isPinned, seed, truncation } = { ...wall, ...changes };
  return address([], { model: isPinned ? `${model}@${version}` : model, seed, truncation });
}

/** @param {{ models: ModelSummary[] }} props */
function NoCats({ models }) {
  usePlace(true);
  const asked = route.value.query.get("model");
  if (asked) {
    return html`<${Empty} title=${`No cats of ${asked} are served.`}><p>The model was deleted or is not in service.</p>
      <p><a href="#/">Look at other cats</a></p><//>`;
  }
  return html`<${Empty} title="No cats yet."><p>No model is in service. ${models.length
    ? html`<a href="#/models">Put one into service</a>` : html`<a href="#/training">Train one</a>`}, and its cats will be here.</p><//>`;
}

/** @param {{ wall: Wall, models: ModelSummary[] }} props */
function WallView({ wall, models }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  // Scroll positions are remembered by the browser's pixels: they mean something only from the seed
  // that the wall began with.
  const [start, setStart] = useState(() => remembered("start") ?? wall.seed);
  const [active, setActive] = useState(-1);
  const isMoving = useRef(false);
  const width = useWidth(box);
  const columns = Math.max(2, Math.floor(width / Math.min(256, Math.max(136, 2 * wall.sizePx))));
  const height = width / columns;
  const above = Math.min(ABOVE, Math.floor(start / columns));
  const first = start - above * columns;
  const span = useSpan(height, above * height);
  const rows = Math.max(above, span.to) + AHEAD;
  const shown = Math.min(MAX_SEED, first + Math.max(0, Math.round(span.top / height)) * columns);

  usePlace(width > 0, above * height);
  useLayoutEffect(() => remember("start", start), [start]);
  const before = useRef(0);
  useLayoutEffect(() => {
    if (!width) return;
    // Other columns after the window was resized: the first cat stays the first.
    if (before.current && before.current !== width) setStart(firstSeed.peek());
    if (before.current === width) scrollTo(0, above * height);
    before.current = width;
  }, [width, start]);
  useEffect(() => {
    if (!width || !span.hasScrolled) return;
    firstSeed.value = shown;
    const timer = setTimeout(() => replace(wallAddress(wall, { seed: shown }), true), 150);
    return () => clearTimeout(timer);
  }, [shown, span.hasScrolled, width]);
  useEffect(() => void (firstSeed.value = wall.seed), []);
  // Before the tile that had the focus is gone, or else the next key would go astray.
  useLayoutEffect(() => {
    const tile = isMoving.current && document.getElementById(`cat-${active}`);
    if (!tile) return;
    tile.focus({ preventScroll: true });
    isMoving.current = false;
  }, [active, span.from]);
  useBar(html`<${WallControls} wall=${wall} models=${models} />`, [wall.model, wall.version, wall.truncation, models]);

  /** @param {KeyboardEvent} event */
  function onKey(event) {
    const seed = isMoving.current ? active : Number(/** @type {HTMLElement} */ (event.target).dataset.seed);
    if (Number.isNaN(seed) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "c") return void copy(permalink({ ...wall, seed }), "Permalink");
    const page = Math.max(1, Math.floor(innerHeight / height) - 1) * columns;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -page, PageDown: page }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = seed + step < first ? seed : Math.min(MAX_SEED, seed + step);
    reveal(Math.floor((next - first) / columns) * height, height);
    isMoving.current = true;
    setActive(next);
  }

  const tiles = [];
  const [low, high] = [first + span.from * columns, Math.min(MAX_SEED + 1, first + span.to * columns)];
  // The one that Tab reaches: where the arrow keys left off, or else the first that can be seen.
  const reachable = active >= low && active < high ? active : shown;
  for (let seed = low; width && seed < high; seed += 1) {
    const place = seed - first;
    tiles.push(html`<${Tile} key=${seed} wall=${wall} seed=${seed} isReachable=${seed === reachable}
      left=${(place % columns) * height} top=${Math.floor(place / columns) * height} size=${height} />`);
  }
  return html`<div class="wall" ref=${box} role="group" aria-label="Cats; arrow keys move, Enter opens, C copies the permalink"
    style=${{ height: `${rows * height}px` }} onKeyDown=${onKey}
    onFocusIn=${(/** @type {FocusEvent} */ event) => setActive(Number(/** @type {HTMLElement} */ (event.target).dataset.seed))}>${tiles}</div>`;
}

/** @param {{ wall: Wall, seed: number, isReachable: boolean, left: number, top: number, size: number }} props */
function Tile({ wall, seed, isReachable, left, top, size }) {
  const failures = useRef(0);
  /** @param {Event} event */
  function retry(event) {
    const picture = /** @type {HTMLImageElement} */ (event.target);
    const ms = RETRIES_MS[failures.current++]; // busy, or restarting
    if (ms) setTimeout(() => (picture.src = picture.src), ms);
  }
  const name = `${wall.model}@${wall.version}`;
  return html`<a id=${`cat-${seed}`} data-seed=${seed} tabindex=${isReachable ? 0 : -1}
    href=${address(["cat", name, seed], { truncation: wall.truncation })}
    style=${{ transform: `translate(${left}px, ${top}px)`, width: `${size}px`, height: `${size}px` }}>
    <img src=${permalink({ ...wall, seed })} alt=${`Cat ${seed}`} width=${wall.sizePx} height=${wall.sizePx} decoding="async" onError=${retry} /></a>`;
}

/** Scroll just as far as a row needs to be seen. @param {number} top @param {number} height */
function reveal(top, height) {
  const style = getComputedStyle(document.documentElement);
  const [bar, tabs] = ["--bar", "--tabs"].map((name) => parseFloat(style.getPropertyValue(name)) || 0);
  const window_ = innerHeight - bar - Math.max(tabs, 8);
  if (top < scrollY) scrollTo(0, top);
  else if (top + height > scrollY + window_) scrollTo(0, top + height - window_);
}

/** The width of an element, pixels; 0 before it is known. @param {{ current: HTMLElement | null }} box */
function useWidth(box) {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const measure = () => setWidth(box.current?.clientWidth ?? 0);
    measure();
    const watch = new ResizeObserver(measure);
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return width;
}

/**
 * The rows to be there for the current scroll position, or before the first scrolling for the one
 * that is about to be restored.
 * @param {number} height Of a row, pixels. @param {number} start Where a new wall begins.
 * @returns {{ top: number, from: number, to: number, hasScrolled: boolean }}
 */
function useSpan(height, start) {
  const [scrolled, setTop] = useState(() => lastPlace()?.scroll);
  const top = scrolled ?? start;
  const [hasScrolled, setScrolled] = useState(false);
  useEffect(() => {
    let frame = 0;
    const onScroll = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => {
        setTop(scrollY);
        setScrolled(true);
      });
    };
    addEventListener("scroll", onScroll, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", onScroll);
    };
  }, []);
  if (!height) return { top, from: 0, to: 0, hasScrolled };
  const from = Math.max(0, Math.floor(top / height) - OVERSCAN);
  return { top, from, to: Math.ceil((top + innerHeight) / height) + OVERSCAN, hasScrolled };
}

/** Go to a wall, as the controls ask. @param {Wall} wall @param {Partial<Wall>} changes */
export const goToWall = (wall, changes) => go(wallAddress(wall, changes));
