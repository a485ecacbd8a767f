// A zip of files, stored and not compressed: pictures are compressed already.
//
// Its parts are the files themselves, which a browser reads from disk while it sends them, so that
// thousands of pictures need no more memory than the largest of them.

/** @typedef {{ path: string, file: Blob }} Member `path` is relative, with "/". */

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const UTF8 = 0x0800;
const DATE = 0x0021; // 1980-01-01: the service does not look at it, and equal folders give equal zips
const FULL16 = 0xffff;
const FULL32 = 0xffffffff;

/**
 * Make a zip file.
 * @param {Member[]} members
 * @param {{ signal?: AbortSignal, onProgress?: (done: number) => void }} [options]
 * @returns {Promise<Blob>}
 * @throws {DOMException} A file cannot be read, or the signal was aborted.
 */
export async function zip(members, { signal, onProgress } = {}) {
  /** @type {BlobPart[]} */
  const parts = [];
  /** @type {BlobPart[]} */
  const directory = [];
  let offset = 0;
  for (const [index, { path, file }] of members.entries()) {
    signal?.throwIfAborted();
    const name = new TextEncoder().encode(path);
    const crc = crc32(new Uint8Array(await file.arrayBuffer()));
    const header = localHeader(name, crc, file.size);
    parts.push(header, file);
    directory.push(centralHeader(name, crc, file.size, offset));
    offset += header.byteLength + file.size;
    onProgress?.(index + 1);
  }
  const size = directory.reduce((sum, entry) => sum + /** @type {Uint8Array} */ (entry).byteLength, 0);
  return new Blob([...parts, ...directory, ...endOf(members.length, size, offset)], { type: "application/zip" });
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit += 1) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

/** The checksum of zip and PNG. @param {Uint8Array} bytes */
export function crc32(bytes) {
  let crc = -1;
  for (let at = 0; at < bytes.length; at += 1) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]) & 0xff];
  return (crc ^ -1) >>> 0;
}

/** Numbers in a row, little-endian. @param {[value: number, bytes: 2 | 4 | 8][]} fields @param {Uint8Array[]} tails @returns {Uint8Array<ArrayBuffer>} */
function record(fields, ...tails) {
  const length = fields.reduce((sum, [, bytes]) => sum + bytes, 0);
  const whole = new Uint8Array(length + tails.reduce((sum, tail) => sum + tail.length, 0));
  const view = new DataView(whole.buffer);
  let at = 0;
  for (const [value, bytes] of fields) {
    if (bytes === 2) view.setUint16(at, value, true);
    else if (bytes === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += bytes;
  }
  for (const tail of tails) {
    whole.set(tail, at);
    at += tail.length;
  }
  return whole;
}

/** What both headers of a file have in common. @param {Uint8Array} name @param {number} crc @param {number} size @param {number} extra @returns {[number, 2 | 4][]} */
const facts = (name, crc, size, extra) => [
  [UTF8, 2], [0, 2], [0, 2], [DATE, 2], [crc, 4], [size, 4], [size, 4], [name.length, 2], [extra, 2],
];

/** @param {Uint8Array} name @param {number} crc @param {number} size */
const localHeader = (name, crc, size) => record([[LOCAL, 4], [20, 2], ...facts(name, crc, size, 0)], name);

/** @param {Uint8Array} name @param {number} crc @param {number} size @param {number} offset Of its local header. */
function centralHeader(name, crc, size, offset) {
  // Beyond 4 GiB the place is in a field of 64 bits.
  const extra = offset < FULL32 ? new Uint8Array() : record([[1, 2], [8, 2], [offset, 8]]);
  return record([
    [CENTRAL, 4], [45, 2], [20, 2], ...facts(name, crc, size, extra.length), [0, 2], [0, 2], [0, 2], [0, 4], [Math.min(offset, FULL32), 4],
  ], name, extra);
}

/** The end of the directory; the records of 64 bits before it only where they are needed. @param {number} count @param {number} size @param {number} start */
function endOf(count, size, start) {
  const end = record([
    [END, 4], [0, 2], [0, 2], [Math.min(count, FULL16), 2], [Math.min(count, FULL16), 2], [Math.min(size, FULL32), 4], [Math.min(start, FULL32), 4], [0, 2],
  ]);
  if (count < FULL16 && start < FULL32) return [end];
  return [
    record([[END64, 4], [44, 8], [45, 2], [45, 2], [0, 4], [0, 4], [count, 8], [count, 8], [size, 8], [start, 8]]),
    record([[LOCATOR64, 4], [0, 4], [start + size, 8], [1, 4]]),
    end,
  ];
}
