// Pictures that a visitor chose or dropped: one zip, or the files of folders with their paths.

/** @typedef {import("./zip.js").Member} Member */
/**
 * @typedef {object} Chosen
 * @property {string} label What it is called, without the suffix; "" for loose files.
 * @property {Member[]} members One zip, or files that still have to be packed.
 * @property {boolean} isZip
 * @property {number} bytes
 */

// What systems leave beside pictures, which the service would leave out as well.
const LITTER = /(^|\/)(\.[^/]*|__MACOSX|Thumbs\.db|desktop\.ini)(\/|$)/i;

/** Why a choice cannot be uploaded, in words for the visitor. */
export class BadChoice extends Error {}

/** @param {Iterable<File>} files Of an input; those of a folder know their paths. */
export function chosenFrom(files) {
  return chosenOf([...files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
}

/**
 * Read what was dropped, folders to their ends.
 * @param {DataTransfer} transfer
 * @param {(count: number) => void} onCount Called with the number of files found so far.
 * @returns {Promise<Chosen>}
 */
export async function chosenFromDrop(transfer, onCount) {
  // Before anything is awaited: a browser empties the transfer when the event is over.
  const dropped = [...transfer.items].filter(({ kind }) => kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  /** @type {Member[]} */
  const members = [];
  for (const one of dropped) {
    if (one instanceof File) members.push({ path: one.name, file: one });
    else if (one) await walk(one, "", members, onCount);
  }
  return chosenOf(members);
}

/** @param {FileSystemEntry} entry @param {string} folder @param {Member[]} members @param {(count: number) => void} onCount */
async function walk(entry, folder, members, onCount) {
  const path = `${folder}${entry.name}`;
  if (LITTER.test(path)) return;
  if (entry.isFile) {
    const file = await settled((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
    members.push({ path, file });
    if (members.length % 100 === 0) onCount(members.length);
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  for (;;) {
    // At most a hundred at a time, and none at the end.
    const some = await settled((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const one of some) await walk(one, `${path}/`, members, onCount);
  }
}

/** @template T @param {(resolve: (value: T) => void, reject: (reason: DOMException) => void) => void} start @returns {Promise<T>} */
async function settled(start) {
  try {
    return await new Promise(start);
  } catch (err) {
    throw new BadChoice(`A file or folder cannot be read (${err instanceof Error ? err.message : err}).`);
  }
}

/** @param {Member[]} all @returns {Chosen} */
function chosenOf(all) {
  const members = all.filter(({ path }) => !LITTER.test(path));
  const isZip = members.length === 1 && /\.zip$/i.test(members[0].path);
  if (members.length === 0) throw new BadChoice("There are no files in it. Choose a folder of pictures, or a zip of one.");
  if (!isZip && members.some(({ path }) => /\.zip$/i.test(path))) {
    throw new BadChoice("Choose either one zip or pictures, not both: a zip within a zip is not opened.");
  }
  const [folder, ...rest] = members[0].path.split("/");
  return {
    label: isZip ? folder.replace(/\.zip$/i, "") : rest.length ? folder : "",
    members,
    isZip,
    bytes: members.reduce((sum, { file }) => sum + file.size, 0),
  };
}
