/** The progress of a purge, for administrators of all cameras: whoever started it, and again after the page was loaded anew. */

import * as api from "./api.js";
import { announce, byId, show } from "./dom.js";
import { clock, count, counted } from "./format.js";

const SOON = 1000; // milliseconds between two looks at a purge that runs
const LATER = 10_000; // and while none does

export class PurgeProgress {
  #ended;
  #looking = new AbortController();

  /** `ended` is called when a purge has ended. */
  constructor(ended) {
    this.#ended = ended;
  }

  /** Follow the purges of a session that may see them. */
  start(session) {
    this.stop();
    if (session.role === "admin" && session.cameras === null) this.#look(this.#looking.signal, "");
  }

  stop() {
    this.#looking.abort();
    this.#looking = new AbortController();
    byId("purge").hidden = true;
  }

  async #look(signal, before) {
    let state = before;
    try {
      const purge = await api.purging(signal);
      if (signal.aborted) return;
      state = stateOf(purge, before);
      tell(purge, state, state !== before);
      if (state === "ended" && before === "running") this.#ended();
    } catch {
      // Whatever it is, the page's other requests tell of it; this one is tried again.
    }
    setTimeout(() => signal.aborted || this.#look(signal, state), state === "running" ? SOON : LATER);
  }
}

/** "running", "unfinished", "ended" if it was seen running before, or "". */
function stateOf({ running, unfinished }, before) {
  if (running) return "running";
  if (unfinished) return "unfinished";
  return before === "running" || before === "ended" ? "ended" : "";
}

function tell({ done, of, since }, state, news) {
  const deleted = `${count(done)} of ${counted(of, "sighting")} deleted without a trace.`;
  const words = {
    running: `Purge since ${clock(new Date(since))}: ${deleted}`,
    unfinished: "A purge has not ended: traces of deleted sightings are left. The next purge removes them.",
    ended: `The purge has ended: ${deleted}`,
  }[state];
  const bar = byId("purge-bar");
  bar.hidden = state !== "running";
  bar.max = Math.max(of, 1);
  bar.value = done;
  show(byId("purge-words"), words);
  byId("purge").hidden = !words;
  if (news && words) announce(words);
}
