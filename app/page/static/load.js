// Loading for views: one hook with the four states that every view shows.
import { get, Problem } from "./api.js";
import { useEffect, useRef, useState } from "./vendor/vendor.js";

/**
 * @template T
 * @typedef {object} Loaded
 * @property {T | undefined} data The last good answer; it stays while a reload fails.
 * @property {Problem | undefined} problem
 * @property {boolean} isLoading
 * @property {() => void} reload
 */

/**
 * Load something whenever its dependencies change; what was asked before is aborted.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {unknown[]} dependencies
 * @param {{ everyMs?: number }} [options] Reload at this interval while the tab is visible.
 * @returns {Loaded<T>}
 */
export function useLoad(load, dependencies, { everyMs } = {}) {
  const [state, setState] = useState(/** @type {{ data?: T, problem?: Problem, isLoading: boolean }} */ ({ isLoading: true }));
  const [turn, setTurn] = useState(0);
  const asked = useRef("");
  const isBusy = useRef(true);
  isBusy.current = state.isLoading;
  useEffect(() => {
    const abort = new AbortController();
    const question = JSON.stringify(dependencies);
    const isSame = asked.current === question; // then the old answer stays until the new one is there
    asked.current = question;
    setState((old) => (isSame ? { ...old, isLoading: true } : { isLoading: true }));
    load(abort.signal).then(
      (data) => abort.signal.aborted || setState({ data, isLoading: false }),
      (err) => {
        if (abort.signal.aborted) return;
        if (!(err instanceof Problem)) throw err;
        setState((old) => ({ ...old, problem: err, isLoading: false }));
      },
    );
    return () => abort.abort();
  }, [...dependencies, turn]);
  const reload = () => setTurn((count) => count + 1);
  useEffect(() => {
    const again = () => document.hidden || reload();
    // Back to this tab, out of the page cache, or online again: catch up at once.
    const events = /** @type {const} */ (["pageshow", "online"]);
    for (const name of events) addEventListener(name, again);
    document.addEventListener("visibilitychange", again);
    // An answer that takes longer than the interval is waited for, or else none would ever come.
    const timer = everyMs ? setInterval(() => isBusy.current || again(), everyMs) : undefined;
    return () => {
      for (const name of events) removeEventListener(name, again);
      document.removeEventListener("visibilitychange", again);
      clearInterval(timer);
    };
  }, [everyMs]);
  return { data: state.data, problem: state.problem, isLoading: state.isLoading, reload };
}

/**
 * Load one or several resources of the API.
 * @param {string} path
 * @param {{ everyMs?: number }} [options]
 * @returns {Loaded<any>}
 */
export const useResource = (path, options) => useLoad((signal) => get(path, { signal }), [path], options);
