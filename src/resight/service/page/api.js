/** The service: every request carries the token, and every failure becomes one sentence that says the way out. */

const KEY = "resight.token";

/** A failed request; status 0 if there was no answer. */
export class ApiError extends Error {
  constructor(status, detail, retryAfter = 0) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The token from the address (`#token=...`), which is taken out of the address bar, or of this tab's session. */
export function takeToken() {
  const given = /^#token=(.+)$/.exec(location.hash);
  if (given) {
    if (isToken(given[1])) keepToken(given[1]);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY);
}

export const keepToken = (token) => sessionStorage.setItem(KEY, token);
export const forgetToken = () => sessionStorage.removeItem(KEY);

/** What a token may look like; anything else cannot be in a header. */
export const isToken = (text) => /^[\x21-\x7e]+$/.test(text);

async function call(path, options = {}) {
  let response;
  try {
    const headers = { ...options.headers, Authorization: `Bearer ${sessionStorage.getItem(KEY)}` };
    response = await fetch(`api/${path}`, { cache: "no-store", ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The service does not answer. See that it is running and that this machine reaches it, then try again.");
  }
  if (response.ok) return response;
  throw new ApiError(response.status, await detail(response), Number(response.headers.get("Retry-After")) || 0);
}

async function detail(response) {
  try {
    const told = (await response.json()).detail;
    if (typeof told === "string" && told) return told[0].toUpperCase() + told.slice(1) + (/[.!?]$/.test(told) ? "" : ".");
  } catch {
    // What stands in between, such as a proxy, answers in its own way.
  }
  return `The service answered ${response.status}; look at its log, or try again.`;
}

const getJson = async (path) => (await call(path)).json();
const post = (path, values, signal) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(values), signal });

export const session = () => getJson("session");
export const cameraStates = () => getJson("cameras");
export const cameras = async () => (await cameraStates()).cameras;
export const statistics = () => getJson("stats");
export const purging = async (signal) => (await call("purge/progress", { signal })).json();

/** Search by images of one person; `form` is the multipart body. */
export const search = async (form, signal) => (await call("search", { method: "POST", body: form, signal })).json();

export const thumbnail = async (id, signal) => (await call(`sightings/${id}/thumbnail`, { signal })).blob();

/** People with their tracklets, between two times. */
export const people = async (wanted, signal) => (await post("people/list", wanted, signal)).json();

/** Say who is on some sightings; an empty name takes theirs away. */
export const label = async (ids, identity) => (await (await post("label", { ids, identity })).json()).labelled;

/** Give all sightings of a person another name; `merge` if somebody has it already. */
export const rename = async (old, name, merge) =>
  (await (await post(`people/${merge ? "merge" : "rename"}`, { old, new: name })).json()).labelled;

/** One crop of a sighting, to search with; a tracklet's thumbnail shows several. */
export const bestCrop = async (id, signal) => (await call(`sightings/${id}/thumbnail?best=true`, { signal })).blob();

/** Sightings of a person by time, at most `most` of them; `more` says whether there are others. */
export async function sightings(identity, most, signal) {
  const found = [];
  let after = null;
  do {
    const wanted = { identity, limit: Math.min(1000, most - found.length), ...(after && { after }) };
    const page = await (await post("sightings/list", wanted, signal)).json();
    found.push(...page.sightings);
    after = page.next;
  } while (after && found.length < most);
  return { found, more: Boolean(after) };
}

export const judge = async (id, search, verdict, identity) =>
  (await post(`sightings/${id}/verdict`, { search, verdict, identity })).json();

/** A ZIP of sightings, with the number and the hash of its entry in the audit log. */
export async function exported(ids, reason) {
  const response = await post("export", { ids, reason });
  const named = /filename="?([^";]+)"?/.exec(response.headers.get("Content-Disposition") ?? "");
  return {
    blob: await response.blob(),
    name: named ? named[1] : "resight-export.zip",
    number: response.headers.get("Resight-Audit-Number"),
    sha256: response.headers.get("Resight-Audit-SHA256"),
  };
}
