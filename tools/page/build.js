// Renews app/page/static/vendor, as `make page` does; with --check it only compares.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";

const HERE = new URL(".", import.meta.url);
const VENDOR = "../../app/page/static/vendor";
const { dependencies } = JSON.parse(await readFile(new URL("package.json", HERE), "utf8"));
const NAMES = [...Object.keys(dependencies), "@preact/signals-core", "axe-core", "esbuild"].sort();

/** Icons of the sprite; their names are lucide's. */
const ICONS = [
  "activity", "arrow-left", "arrow-right", "arrow-up", "ban", "cat", "check", "chevron-down", "chevron-right",
  "circle-alert", "circle-check", "clock", "copy", "database", "dices", "download", "external-link",
  "film", "flag", "folder-up", "footprints", "info", "key-round", "layers", "link", "loader-circle",
  "minus", "pause", "play", "plus", "refresh-cw", "rotate-ccw", "settings-2", "share-2", "sliders-horizontal",
  "square", "trash-2", "triangle-alert", "trophy", "undo-2", "upload", "wifi-off", "x",
];

/** All files that are made, by path from here. @type {Record<string, string>} */
const FILES = {
  [`${VENDOR}/vendor.js`]: await bundle(),
  [`${VENDOR}/vendor.d.ts`]: await readFile(new URL("vendor.d.ts", HERE), "utf8"),
  [`${VENDOR}/uplot.css`]: await inPackage("uplot", "dist/uPlot.min.css"),
  [`${VENDOR}/icons.svg`]: await sprite(),
  [`${VENDOR}/swagger-ui-bundle.js`]: withoutMap(await inPackage("swagger-ui-dist", "swagger-ui-bundle.js")),
  [`${VENDOR}/swagger-ui.css`]: withoutMap(await inPackage("swagger-ui-dist", "swagger-ui.css")),
  [`${VENDOR}/versions.json`]: await versions(),
  [`${VENDOR}/licenses.txt`]: await licenses(),
  "../../tests/page/axe.min.js": await inPackage("axe-core", "axe.min.js"),
};

if (process.argv.includes("--check")) {
  const stale = [];
  for (const [path, text] of Object.entries(FILES)) {
    if ((await readFile(new URL(path, HERE), "utf8").catch(() => "")) !== text) stale.push(path);
  }
  if (stale.length) {
    console.error(`Stale: ${stale.join(", ")}. Run \`make page\`.`);
    process.exit(1);
  }
} else {
  await mkdir(new URL(VENDOR, HERE), { recursive: true });
  for (const [path, text] of Object.entries(FILES)) await writeFile(new URL(path, HERE), text);
}

/** Read a file of an installed package. @param {string} name @param {string} path */
function inPackage(name, path) {
  return readFile(new URL(`node_modules/${name}/${path}`, HERE), "utf8");
}

/** The libraries in one module. */
async function bundle() {
  const { outputFiles } = await build({
    absWorkingDir: HERE.pathname,
    entryPoints: ["vendor.js"],
    bundle: true,
    write: false,
    format: "esm",
    minify: true,
    target: "es2022",
    legalComments: "none", // licenses.txt has them whole
  });
  return outputFiles[0].text;
}

/** @param {string} text A source map is not shipped, and a browser would ask for it. */
function withoutMap(text) {
  return text.replace(/\n?\/\/# sourceMappingURL=.*|\n?\/\*# sourceMappingURL=.*\*\//g, "");
}

/** One hidden svg with a symbol for each icon, to be put inline into the page. */
async function sprite() {
  const symbols = await Promise.all(ICONS.map(async (name) => {
    const svg = await inPackage("lucide-static", `icons/${name}.svg`);
    const shapes = svg.replace(/<!--.*?-->/gs, "").replace(/^\s*<svg[^>]*>|<\/svg>\s*$/g, "");
    return `<symbol id="icon-${name}" viewBox="0 0 24 24">${shapes.replace(/>\s+</g, "><").trim()}</symbol>`;
  }));
  return `<svg xmlns="http://www.w3.org/2000/svg" hidden>\n${symbols.join("\n")}\n</svg>\n`;
}

/** What package.json of a package says. @param {string} name */
async function about(name) {
  return JSON.parse(await inPackage(name, "package.json"));
}

/** Names and versions of what the files are made of, from what is installed. */
async function versions() {
  const pairs = await Promise.all(NAMES.map(async (name) => [name, (await about(name)).version]));
  return `${JSON.stringify(Object.fromEntries(pairs), null, 2)}\n`;
}

/** The licenses of all that is shipped, whole. */
async function licenses() {
  const shipped = NAMES.filter((name) => !["axe-core", "esbuild"].includes(name));
  const texts = await Promise.all(shipped.map(async (name) => {
    const { version, license } = await about(name);
    const notice = await inPackage(name, "NOTICE").catch(() => "");
    const text = `${await inPackage(name, "LICENSE")}\n${notice}`.replace(/\r/g, "").trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  }));
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}
