// Whether there are enough pictures to train on, by the recipes' own figures.
import { counted, number } from "./format.js";

/** @typedef {{ name: string, defaults: Record<string, any> }} Recipe Of `GET /recipes`. */

/**
 * Say why so many pictures of one size are too few for every recipe; "" if they are not.
 * @param {number} count @param {Recipe[]} recipes
 */
export function shortage(count, recipes) {
  const batches = recipes.map(({ defaults }) => Number(defaults.batch)).filter(Number.isFinite);
  const fewest = Math.min(...batches);
  if (batches.length === 0 || count >= fewest) return "";
  return `${counted(count, "picture is", "pictures are")} too few to train on. One step of training compares ${number(fewest)} different pictures at once, ` +
    "and a generator that has seen only a few learns to copy them. Several hundred make a start; the generators that come with Cattery learned from thousands.";
}
