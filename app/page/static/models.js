// What views know of models: the list, kept fresh, and permalinks of their cats.
import { url } from "./api.js";
import { useResource } from "./load.js";

/**
 * @typedef {object} ModelSummary `GET /models`
 * @property {string} name
 * @property {number} size_px
 * @property {string | null} serving
 * @property {string | null} previous
 * @property {number} versions
 * @property {string} license
 * @property {string[]} picks
 */

/** All models. @returns {import("./load.js").Loaded<{ default: string, models: ModelSummary[] }>} */
export const useModels = () => useResource("/models");

/** A version's card; the newest fields of `GET /models/{model}/versions/{version}`. @param {string} model @param {string} version */
export const useCard = (model, version) => useResource(`/models/${encodeURIComponent(model)}/versions/${encodeURIComponent(version)}`);

/**
 * A cat that never changes.
 * @typedef {{ model: string, version: string, seed: number, near?: number, distance?: string, truncation?: string }} Cat
 */

/** Return the address of a cat's picture. @param {Cat} cat @param {"png" | "webp"} [format] */
export function permalink(cat, format = "png") {
  const query = new URLSearchParams();
  if (cat.near !== undefined) {
    query.set("near", String(cat.near));
    query.set("distance", cat.distance ?? "0.2");
  }
  if (cat.truncation && Number(cat.truncation) !== 1) query.set("truncation", cat.truncation);
  const tail = query.toString();
  return url(`/cats/${cat.model}@${cat.version}/${cat.seed}.${format}${tail && `?${tail}`}`);
}

export const MAX_SEED = Number.MAX_SAFE_INTEGER;

/** A seed for the dice: short enough to read aloud. */
export const randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000;
