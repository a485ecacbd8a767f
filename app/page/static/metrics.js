// What the metrics are called, which way is better, and what they mean.

/**
 * @typedef {object} Metric
 * @property {string} label
 * @property {"lower" | "higher" | ""} better
 * @property {string} meaning
 */

/** By name in a version's card. @type {Record<string, Metric>} */
export const METRICS = {
  kid: {
    label: "KID",
    better: "lower",
    meaning: "Kernel Inception Distance: how far the generated pictures are from the real ones, in features of a trained network. 0 is indistinguishable. The interval holds the true value 95 times in 100.",
  },
  frechet_distance: {
    label: "Fréchet distance",
    better: "lower",
    meaning: "Distance of the generated pictures from the real ones, as that of two normal distributions of features. Comparable only on the same dataset, size and number of pictures.",
  },
  precision: {
    label: "Precision",
    better: "higher",
    meaning: "Share of generated pictures that look like some real one: quality. From 0 to 1.",
  },
  recall: {
    label: "Recall",
    better: "higher",
    meaning: "Share of real pictures that look like some made one: variety. From 0 to 1.",
  },
  memorization: {
    label: "Memorization",
    better: "lower",
    meaning: "Share of generated pictures that are nearer to a training picture than real pictures are: copies. 0 is good.",
  },
  diversity: {
    label: "Diversity",
    better: "higher",
    meaning: "How different the generated pictures are from one another.",
  },
  faces: {
    label: "Faces",
    better: "higher",
    meaning: "Share of generated pictures with exactly one cat's face, counted by a detector.",
  },
};

/** @param {string} name @returns {Metric} */
export function metric(name) {
  return METRICS[name] ?? { label: name.replaceAll("_", " "), better: "", meaning: "" };
}
