// What of several versions can be compared, and what differs between them.

/** @typedef {Record<string, any> & { version: string, metrics: Metric[], settings: Record<string, any> }} Version As `GET /models/{model}` returns it. */
/** @typedef {{ name: string, value: number, interval?: number[], details?: Record<string, any>, protocol: Record<string, any> }} Metric */
/** @typedef {{ version: string, value: number, interval?: number[] | undefined, expected?: number | undefined }} Figure */
/**
 * @typedef {object} Basis Figures that were measured in the same way on the same pictures.
 * @property {string} key
 * @property {Record<string, any>} protocol
 * @property {string[]} datasets Names of the dataset: one of equal pictures may have several.
 * @property {Map<string, Figure[]>} metrics By name, in the order of the card.
 */

/**
 * Group the metrics of versions by what they were measured on; figures of two groups do not compare.
 * @param {Version[]} versions @returns {Basis[]} Those of most versions first.
 */
export function basesOf(versions) {
  /** @type {Map<string, Basis>} */
  const bases = new Map();
  for (const { version, metrics } of versions) {
    for (const { name, value, interval, details, protocol = {} } of metrics) {
      if (typeof value !== "number") continue;
      const { dataset = "", ...rest } = protocol;
      const key = JSON.stringify(Object.entries(rest).sort());
      const basis = bases.get(key) ?? /** @type {Basis} */ ({ key, protocol, datasets: [], metrics: new Map() });
      bases.set(key, basis);
      if (!basis.datasets.includes(dataset)) basis.datasets.push(dataset);
      const others = (basis.metrics.get(name) ?? []).filter((one) => one.version !== version);
      basis.metrics.set(name, [...others, { version, value, interval, expected: details?.expected }]);
    }
  }
  return [...bases.values()].sort((one, other) => measured(other).size - measured(one).size);
}

/** @param {Basis} basis @returns {Set<string>} Versions that have a figure in it. */
export function measured({ metrics }) {
  return new Set([...metrics.values()].flat().map(({ version }) => version));
}

/**
 * Return the version that is better than all others beyond doubt: no interval overlaps its own.
 * @param {Figure[]} figures @param {"lower" | "higher" | ""} better @returns {string | null}
 */
export function clearlyBest(figures, better) {
  if (figures.length < 2 || !better || figures.some(({ interval }) => !interval)) return null;
  const sign = better === "lower" ? 1 : -1;
  // Of "higher is better" the ends change places.
  const ends = figures.map(({ version, interval = [] }) => ({ version, ends: interval.map((end) => sign * end).sort((a, b) => a - b) }));
  const [first, ...others] = ends.sort((one, other) => one.ends[1] - other.ends[1]);
  return others.every((other) => other.ends[0] > first.ends[1]) ? first.version : null;
}

/** Facts that versions can differ in, by what they are called. @type {[string, (version: Version) => any][]} */
const FACTS = [
  ["recipe", ({ recipe }) => recipe],
  ["dataset", ({ dataset }) => dataset.name],
  ["pictures", ({ dataset }) => dataset.pictures],
  ["kimg", ({ kimg }) => kimg],
  ["seed", ({ seed }) => seed],
];
const TRAINED_WITH = /** @type {[string, (version: Version) => any][]} */ ([
  ["hardware", ({ hardware }) => hardware],
  ["torch", ({ software }) => software?.torch],
  ["cattery", ({ software }) => software?.cattery],
]);

/**
 * Return the settings in which versions differ, with each version's value, and how many are equal.
 * @param {Version[]} versions @returns {{ rows: { name: string, values: any[] }[], equal: number }}
 */
export function differences(versions) {
  const names = [...new Set(versions.flatMap(({ settings }) => Object.keys(settings)))];
  const all = [
    ...FACTS,
    ...names.map((name) => /** @type {[string, (version: Version) => any]} */ ([name, ({ settings }) => settings[name]])),
    ...TRAINED_WITH,
  ];
  const rows = all.map(([name, of]) => ({ name: name.replaceAll("_", " "), values: versions.map(of) }));
  const differing = rows.filter(({ values }) => new Set(values.map((value) => JSON.stringify(value))).size > 1);
  return { rows: differing, equal: rows.length - differing.length };
}
