// Addresses of the page: `#/view/more?query`. Behind the hash, so that the page works under any
// path of a proxy and the server's own paths stay the API's.
import { signal, useEffect } from "./vendor/vendor.js";

/**
 * @typedef {object} Route
 * @property {string} view First part of the path, "" for the gallery.
 * @property {string[]} rest Its other parts, decoded.
 * @property {URLSearchParams} query
 * @property {string} key Names the history entry; what is remembered about it hangs on this.
 * @property {boolean} isReturn Whether it was reached by Back, Forward or a reload.
 */

/** @typedef {Record<string, string | number | null | undefined>} Query */
/** @typedef {{ scroll: number, focus: string }} Place */

const MEMORY = "cattery.places";

history.scrollRestoration = "manual";

/** The current route; views read it, and render again when it changes. */
export const route = signal(parse(true));

/** @param {boolean} isReturn @returns {Route} */
function parse(isReturn) {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...rest] = path.split("/").map(decoded);
  if (!history.state?.key) history.replaceState({ key: crypto.getRandomValues(new Uint32Array(2)).join("-") }, "");
  return { view, rest, query: new URLSearchParams(query), key: history.state.key, isReturn };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray "%", typed by hand
  }
}

/**
 * Return the address of a view, for `href`.
 * @param {(string | number)[]} path Its parts, unescaped.
 * @param {Query} [query] Empty values are left out.
 */
export function address(path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const tail = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  // "@" and "," are legal in a fragment, and an address is read by people.
  const parts = path.map((part) => encodeURIComponent(part).replace(/%40/g, "@").replace(/%2C/g, ","));
  return `#/${parts.join("/")}${tail && `?${tail}`}`;
}

/** Go to an address. @param {string} to */
export function go(to) {
  location.hash = to;
}

/**
 * Change the address without a new history entry, as when one scrolls or sets a filter.
 * @param {string} to
 * @param {boolean} [isQuiet] Views are not told: they made the change themselves.
 */
export function replace(to, isQuiet = false) {
  history.replaceState(history.state, "", to);
  const { isReturn } = route.peek();
  if (isQuiet) Object.assign(route.peek(), parse(isReturn));
  else route.value = parse(isReturn);
}

/** Keep something with the history entry, where Back and a reload find it. @param {string} name @param {unknown} value */
export function remember(name, value) {
  history.replaceState({ ...history.state, [name]: value }, "");
}

/** @param {string} name @returns {any} What was remembered with the current history entry. */
export const remembered = (name) => history.state?.[name];

addEventListener("popstate", () => {
  const isReturn = Boolean(history.state?.key);
  keepPlace();
  route.value = parse(isReturn);
});
addEventListener("pagehide", keepPlace);

/** @returns {Record<string, Place>} */
function places() {
  try {
    return JSON.parse(sessionStorage.getItem(MEMORY) ?? "{}");
  } catch {
    return {};
  }
}

/** Where the visitor was in the current route before, if it was reached by Back, Forward or a reload. @returns {Place | undefined} */
export const lastPlace = () => (route.peek().isReturn ? places()[route.peek().key] : undefined);

/** Remember scroll position and focus of the route that is being left. */
function keepPlace() {
  const all = { ...places(), [route.peek().key]: { scroll: scrollY, focus: document.activeElement?.id ?? "" } };
  const recent = Object.entries(all).slice(-50);
  sessionStorage.setItem(MEMORY, JSON.stringify(Object.fromEntries(recent)));
}

/**
 * Restore scroll position and focus once a view has its content; a view calls this hook.
 *
 * A new view starts at the top with the focus on its heading, so that a screen reader reads it.
 * @param {boolean} isReady Whether the content is there.
 * @param {number} [top] Where to scroll to if nothing is remembered.
 */
export function usePlace(isReady, top = 0) {
  const { key, isReturn } = route.value;
  useEffect(() => {
    if (!isReady) return;
    const place = lastPlace();
    scrollTo(0, place?.scroll ?? top);
    const target = (place?.focus && document.getElementById(place.focus)) || document.querySelector("main h1");
    if (target instanceof HTMLElement && (place || !isReturn)) target.focus({ preventScroll: true });
  }, [key, isReady]);
}
