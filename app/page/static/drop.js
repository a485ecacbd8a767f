// A picture of ours dropped anywhere on the page opens its cat: its text chunks say which.
import { say } from "./components.js";
import { address, go, route } from "./router.js";

/** Views that take files themselves. */
const TAKES_FILES = ["datasets"];
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Open pictures of ours that are dropped on the page. @param {Document} target */
export function openDropped(target) {
  target.addEventListener("dragover", (event) => event.preventDefault());
  target.addEventListener("drop", async (event) => {
    event.preventDefault(); // a browser would leave the page for the file
    const file = event.dataTransfer?.files[0];
    if (!file || TAKES_FILES.includes(route.peek().view)) return;
    const texts = textsOf(await file.arrayBuffer());
    const { "Cattery-Model": model, "Cattery-Version": version, "Cattery-Seed": seed } = texts;
    if (!model || !version || !/^\d+$/.test(seed ?? "")) {
      say(`${file.name} does not say which cat it is: drop a PNG file of one cat that Cattery made.`, "problem");
      return;
    }
    go(address(["cat", `${model}@${version}`, seed], {
      near: texts["Cattery-Near"], distance: texts["Cattery-Distance"], truncation: texts["Cattery-Truncation"],
    }));
  });
}

/**
 * Return the text chunks of a PNG file by keyword; none of anything else.
 * @param {ArrayBuffer} content
 * @returns {Record<string, string>}
 */
export function textsOf(content) {
  /** @type {Record<string, string>} */
  const found = {};
  const bytes = new Uint8Array(content);
  if (!SIGNATURE.every((byte, index) => bytes[index] === byte)) return found;
  const view = new DataView(content);
  for (let at = SIGNATURE.length; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = latin(bytes.subarray(at + 4, at + 8));
    const chunk = bytes.subarray(at + 8, at + 8 + length);
    const end = chunk.indexOf(0);
    if (kind === "tEXt" && end > 0) found[latin(chunk.subarray(0, end))] = latin(chunk.subarray(end + 1));
    // iTXt as the service writes it: not compressed, no language, no translated keyword.
    if (kind === "iTXt" && end > 0) found[latin(chunk.subarray(0, end))] = new TextDecoder().decode(chunk.subarray(end + 5));
    at += 12 + length;
  }
  return found;
}

/** @param {Uint8Array} bytes */
const latin = (bytes) => new TextDecoder("latin1").decode(bytes);
