// A walk from one cat to another on a canvas, played or scrubbed. Its frames are permalinks of
// neighbors, since a browser cannot seek within an animated picture.
import { Button } from "../components.js";
import { permalink } from "../models.js";
import { html, useEffect, useRef, useState } from "../vendor/vendor.js";

const STEPS = 32; // a power of two, see `halving`
const SECONDS = 3; // one way
const RESOLUTION = 1000;

/** @param {{ cat: import("../models.js").Cat, to: number, sizePx: number, onEnd: () => void }} props */
export function Walk({ cat, to, sizePx, onEnd }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const { frames, loaded, hasFailed } = useFrames(cat, to);
  const [at, setAt] = useState(0);
  const [isPlaying, setPlaying] = useState(() => !matchMedia("(prefers-reduced-motion: reduce)").matches);
  const isReady = loaded > STEPS;
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (context) draw(context, frames, at, sizePx);
  }, [at, loaded, sizePx]);
  useEffect(() => {
    if (!isPlaying || !isReady) return;
    // There and back; it starts where the scrubber stands.
    const began = performance.now() - at * SECONDS * 1000;
    let frame = requestAnimationFrame(function next(now) {
      const way = ((now - began) / 1000 / SECONDS) % 2;
      setAt(way < 1 ? way : 2 - way);
      frame = requestAnimationFrame(next);
    });
    return () => cancelAnimationFrame(frame);
  }, [isPlaying, isReady]);
  /** @param {any} event */
  function scrub({ target }) {
    setPlaying(false);
    setAt(Number(target.value) / RESOLUTION);
  }
  return html`<canvas ref=${canvas} class="cat-large" width=${sizePx} height=${sizePx} role="img" aria-label=${`Walk from cat ${cat.seed} to cat ${to}`}></canvas>
    <div class="walk-bar">
      <${Button} icon=${isPlaying ? "pause" : "play"} label=${isPlaying ? "Pause" : "Play"} kind="quiet" onClick=${() => setPlaying(!isPlaying)} />
      <span class="mono">${cat.seed}</span>
      <input id="walk-at" type="range" min="0" max=${RESOLUTION} value=${Math.round(at * RESOLUTION)} aria-label="Place on the walk" aria-valuetext=${`${Math.round(at * 100)} % of the way`} onInput=${scrub} />
      <span class="mono">${to}</span>
      <${Button} icon="x" label="End the walk" kind="quiet" onClick=${onEnd} />
    </div>
    <p class="walk-note" role="status">${hasFailed ? "Some frames could not be loaded." : isReady ? "" : `Loading frame ${loaded} of ${STEPS + 1}…`}</p>`;
}

/**
 * Load the frames of a walk, the middle ones first, so that scrubbing works early.
 * @param {import("../models.js").Cat} cat @param {number} to
 */
function useFrames(cat, to) {
  const frames = useRef(/** @type {(HTMLImageElement | undefined)[]} */ ([]));
  const [loaded, setLoaded] = useState(0);
  const [hasFailed, setFailed] = useState(false);
  useEffect(() => {
    let isCurrent = true;
    frames.current = [];
    setLoaded(0);
    setFailed(false);
    for (const step of halving()) {
      const picture = new Image();
      picture.src = permalink(frameOf(cat, to, step));
      picture.decode().then(() => {
        if (!isCurrent) return;
        frames.current[step] = picture;
        setLoaded((count) => count + 1);
      }, () => isCurrent && setFailed(true));
    }
    return () => void (isCurrent = false);
  }, [permalink(cat), to]);
  return { frames: frames.current, loaded, hasFailed };
}

/** @param {import("../models.js").Cat} cat @param {number} to @param {number} step @returns {import("../models.js").Cat} */
function frameOf(cat, to, step) {
  if (step === 0) return cat;
  if (step === STEPS) return { ...cat, seed: to };
  return { ...cat, seed: to, near: cat.seed, distance: (step / STEPS).toFixed(3) };
}

/** All steps, in the order of how much they tell: the ends, the middle, the quarters, the eighths... */
function halving() {
  const lowest = (/** @type {number} */ step) => step & -step || STEPS;
  return Array.from({ length: STEPS + 1 }, (_, step) => step).sort((one, other) => lowest(other) - lowest(one));
}

/**
 * Draw a place between two frames, one fading into the other; of missing frames the nearest.
 * @param {CanvasRenderingContext2D} context @param {(HTMLImageElement | undefined)[]} frames @param {number} at 0 to 1. @param {number} sizePx
 */
function draw(context, frames, at, sizePx) {
  const place = at * STEPS;
  const below = Math.floor(place);
  const base = frames[below] ?? nearest(frames, below);
  if (!base) return;
  context.globalAlpha = 1;
  context.drawImage(base, 0, 0, sizePx, sizePx);
  const above = frames[below + 1];
  if (!above || base !== frames[below]) return;
  context.globalAlpha = place - below;
  context.drawImage(above, 0, 0, sizePx, sizePx);
}

/** @param {(HTMLImageElement | undefined)[]} frames @param {number} step */
function nearest(frames, step) {
  for (let distance = 1; distance <= STEPS; distance += 1) {
    const found = frames[step - distance] ?? frames[step + distance];
    if (found) return found;
  }
  return undefined;
}
