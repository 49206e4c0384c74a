/** The page of `resight serve`: who is there, what is asked, what is answered. */

import * as api from "./api.js";
import { failed, nothingAsked, nothingThere, nowhereElse, searching } from "./answer.js";
import { Cameras } from "./cameras.js";
import { announce, button, byId, element, show } from "./dom.js";
import { Filters } from "./filters.js";
import { counted, duration, zone } from "./format.js";
import { Pictures } from "./pictures.js";
import { PurgeProgress } from "./purge.js";
import { Results } from "./results.js";
import { Timeline } from "./timeline.js";

const ROLES = { viewer: "viewer", operator: "operator", admin: "administrator" };
const VIEWS = ["search", "timeline", "cameras"];
const PATIENCE = 3; // times that a busy service is asked again without being told to

const TITLES = {
  0: "No connection",
  400: "This cannot be done",
  403: "Not allowed",
  404: "No longer there",
  409: "Another model",
  411: "The upload has no length",
  413: "The upload is too large",
  415: "The image cannot be read",
  422: "This cannot be done",
  429: "The service is busy",
  503: "The service cannot answer now",
  507: "Nothing can be written",
};

let session;
let staying = new AbortController(); // until whoever is signed in signs out
let asking = new AbortController();
let asked = false;

const pictures = new Pictures(changed);
const filters = new Filters(changed);
const results = new Results({ searchWith, timeline: showTimeline, failed: failedAction });
const timeline = new Timeline({ searchWith, failed: failedAction });
const cameras = new Cameras({ searchFor, timeline: showTimeline, failed: failedAction });
const purge = new PurgeProgress(tellGallery);

/** The answer on the page is not the answer to what is asked now. */
function changed() {
  byId("changed").hidden = !asked;
}

async function start() {
  const token = api.takeToken();
  if (!token) return signIn("");
  try {
    session = await api.session();
  } catch (error) {
    if (error.status === 401) return signIn("This token is not valid. Ask for a new one, or use the one that the service printed.");
    return signIn(error.message);
  }
  const change = session.role !== "viewer";
  session.may = timeline.may = cameras.may = { change, rename: change && session.cameras === null };
  pictures.mostBytes = session.max_upload ?? Infinity;
  filters.limit(session.max_k);
  byId("sign-in").hidden = true;
  for (const id of ["views", "account", "footer"]) byId(id).hidden = false;
  byId("account-name").textContent = session.name;
  byId("account-role").textContent = ROLES[session.role] ?? session.role;
  byId("zone").textContent = `(${zone()})`;
  results.tell(nothingAsked(session.size));
  view("search");
  purge.start(session);
  return tellGallery();
}

/** Cameras to choose from and the footer; a search works without them. */
async function tellGallery() {
  const { signal } = staying;
  try {
    const [known, statistics] = await Promise.all([api.cameras(), api.statistics()]);
    signal.throwIfAborted();
    filters.show(known);
    const { count: size, identities, expired } = statistics;
    const kept = session.gallery.retention ? `kept for ${duration(session.gallery.retention)}` : "kept without end";
    const old = expired ? ` ${counted(expired, "of them is", "of them are")} older than that and must be purged.` : "";
    const names = session.cameras;
    const limits = names ? ` You may see ${counted(names.length, "camera")}: ${names.join(", ")}.` : "";
    const people = counted(identities, "named person", "named people");
    const contents = `${counted(size, "sighting")} by ${counted(known.length, "camera")}, ${people}, ${kept}.`;
    byId("statistics").textContent = contents + old + limits;
    byId("about").replaceChildren(
      `Times are in your zone (${zone()}). Every search is logged. Model: ${session.gallery.model.split("/").at(-1)}. `,
      element("a", { href: "docs" }, "API"),
    );
  } catch (error) {
    if (signal.aborted) return undefined;
    if (error.status === 401) return signedOut();
    byId("statistics").textContent = error.message;
  }
  return undefined;
}

function signIn(problem) {
  for (const id of ["views", "account", "footer", ...VIEWS.map((name) => `${name}-view`)]) byId(id).hidden = true;
  byId("sign-in").hidden = false;
  show(byId("sign-in-problem"), problem);
  byId("token").setAttribute("aria-invalid", String(Boolean(problem)));
  byId("token").value = "";
  byId("token").focus();
}

/** Nothing of the last one stays for the next. */
function signedOut(problem = "You are signed out: the token is not valid any more. Sign in again.") {
  api.forgetToken();
  staying.abort();
  staying = new AbortController();
  asking.abort();
  results.tell("");
  timeline.clear();
  cameras.clear();
  purge.stop();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  for (const form of document.forms) form.reset();
  pictures.replace([]);
  filters.show([]);
  byId("people").replaceChildren();
  document.title = "Resight";
  asked = false;
  changed();
  signIn(problem);
}

function view(name) {
  for (const one of VIEWS) {
    byId(`${one}-view`).hidden = one !== name;
    if (one === name) byId(`view-${one}`).setAttribute("aria-current", "page");
    else byId(`view-${one}`).removeAttribute("aria-current");
  }
  document.title = { timeline: "Timeline – Resight", cameras: "Cameras – Resight" }[name] ?? "Resight";
  if (name === "cameras") cameras.open();
  else cameras.close();
}

/** Search; `known` holds sightings of somebody that are left out of the answer, because they are known already. */
async function search(patience = PATIENCE, known = null) {
  const problem = pictures.list.length ? filters.problem() : "Choose an image of the person first.";
  show(byId("query-problem"), problem);
  if (problem) return;
  const form = new FormData();
  pictures.fill(form);
  filters.fill(form);
  const ofOne = session.calibration && !session.calibration.tracklets;
  const told = [
    filters.told() && `Only ${filters.told()} searched.`,
    pictures.list.length > 1 &&
      `${pictures.list.length} images were fused into one question${ofOne ? "; the calibration is for one image" : ""}.`,
  ].filter(Boolean);
  asking.abort();
  const { signal } = (asking = new AbortController());
  byId("results").setAttribute("aria-busy", "true");
  byId("changed").hidden = true;
  results.tell(searching(session.size, () => asking.abort()));
  announce("Searching.");
  try {
    const { left = 0, more, ...answer } = known ? await searchOthers(form, signal, known) : await api.search(form, signal);
    if (left) told.push(`${counted(left, "tracklet that is", "tracklets that are")} known to be this person left out.`);
    asked = true;
    if (left && !answer.matches.length) {
      results.tell(nowhereElse(left, more));
      announce("Nowhere else.");
    } else if (!answer.matches.length) {
      const nothing = nothingThere(filters.told(), () => {
        filters.clear();
        search();
      });
      results.tell(nothing);
      announce("No sighting there.");
    } else {
      told.push(`Answered in ${Math.max(1, Math.round(answer.milliseconds))} ms.`);
      results.show(answer, session, told.join(" "));
      document.title = `${byId("answer").querySelector(".sentence").textContent.split(":")[0]} – Resight`;
    }
    const { top } = byId("answer").getBoundingClientRect();
    if (top < 0 || top > window.innerHeight / 2) byId("results").scrollIntoView(); // below the question on a narrow screen
  } catch (error) {
    if (error.name === "AbortError") {
      if (asking.signal === signal) results.tell(nothingAsked(session.size));
    } else if ((error.status === 429 || error.status === 503) && error.retryAfter && patience > 0) {
      await wait(error, patience, signal, known);
    } else failedAction(error, () => search(PATIENCE, known));
  } finally {
    if (asking.signal === signal) byId("results").setAttribute("aria-busy", "false");
  }
}

/** Search for places that are not known, and for more of them until there are as many as wanted, or no `more` can come. */
async function searchOthers(form, signal, known) {
  const wanted = Number(form.get("k"));
  for (let k = wanted + known.ids.size; ; k *= 4) {
    k = Math.min(k, session.max_k);
    form.set("k", k);
    const answer = await api.search(form, signal);
    const more = answer.matches.length === k;
    const left = leaveOut(answer, known);
    if (more && answer.matches.length < wanted && k < session.max_k) continue;
    answer.matches.splice(wanted);
    return { ...answer, left, more };
  }
}

/** Take out of an answer what is known to be the person, and return how many places that were. The decision is about the others. */
function leaveOut(answer, { ids, identity }) {
  const before = answer.matches.length;
  answer.matches = answer.matches.filter((one) => !ids.has(one.id) && !(identity && one.identity === identity));
  answer.matches.forEach((one, at) => (one.rank = at + 1));
  if (answer.decision) answer.decision = answer.matches[0]?.band ?? "unknown";
  if (answer.matches.length < before) answer.why = []; // it was about all of them
  return before - answer.matches.length;
}

/** The service is busy and said for how long: count down, then ask again. */
async function wait(error, patience, signal, known) {
  const left = element("b", {});
  const now = new AbortController();
  const ways = [
    button("Try now", { class: "small", click: () => now.abort() }),
    button("Cancel", { class: "small", click: () => asking.abort() }),
  ];
  const message = failed(TITLES[error.status], error.message, ...ways);
  message.querySelector(".buttons").before(element("p", { "aria-live": "off" }, "Trying again in ", left, "."));
  results.tell(message);
  for (let seconds = Math.ceil(error.retryAfter); seconds > 0 && !now.signal.aborted && !signal.aborted; seconds--) {
    left.textContent = counted(seconds, "second");
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000);
      for (const one of [now.signal, signal]) one.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
  if (asking.signal !== signal) return; // somebody searched for something else
  if (signal.aborted) results.tell(nothingAsked(session.size));
  else await search(patience - 1, known);
}

/** Tell of an error: in place of what `again` would show, or above the list of results. */
function failedAction(error, again, place) {
  if (error.status === 401) return signedOut();
  const title = TITLES[error.status] ?? "Something went wrong";
  const message = failed(title, error.message, again && button("Try again", { class: "small", click: again }));
  if (place) place.replaceChildren(message);
  else if (again) results.tell(message);
  else {
    byId("answer").querySelector(".failure")?.remove();
    message.querySelector(".buttons").append(button("Dismiss", { class: "small", click: () => message.remove() }));
    byId("answer").prepend(message);
    message.scrollIntoView({ block: "nearest" });
  }
  return undefined;
}

/** Ask with the image of a sighting. */
async function searchWith({ id, camera }) {
  const { signal } = staying;
  try {
    const blob = await api.bestCrop(id, signal);
    view("search");
    await pictures.replace([new File([blob], camera ? `crop of ${camera}` : "crop", { type: blob.type })]);
    signal.throwIfAborted();
    await search();
    byId("results-title").focus();
  } catch (error) {
    if (!signal.aborted) failedAction(error, null, byId("search-view").hidden ? byId("timeline") : null);
  }
}

/** Ask where else somebody was, with images of some sightings; see `searchOthers`. */
async function searchFor(sightings, known) {
  const { signal } = staying;
  try {
    const blobs = await Promise.all(sightings.map(({ id }) => api.bestCrop(id, signal)));
    view("search");
    filters.clear();
    byId("one-per").value = "tracklet";
    await pictures.replace(blobs.map((blob, at) => new File([blob], `crop of ${sightings[at].camera}`, { type: blob.type })));
    signal.throwIfAborted();
    await search(PATIENCE, known);
    byId("results-title").focus();
  } catch (error) {
    if (!signal.aborted) failedAction(error, null, byId("cameras-view").hidden ? null : byId("cameras-problem"));
  }
}

function showTimeline(identity) {
  view("timeline");
  byId("timeline-title").focus();
  timeline.load(identity);
}

byId("query").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
byId("view-search").addEventListener("click", () => view("search"));
byId("view-timeline").addEventListener("click", () => view("timeline"));
byId("view-cameras").addEventListener("click", () => view("cameras"));
byId("sign-out").addEventListener("click", () => signedOut(""));
byId("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("token").value.trim();
  if (!api.isToken(token)) return signIn("This is not a token. Copy it as printed, without spaces.");
  api.keepToken(token);
  return start();
});
window.addEventListener("hashchange", () => location.hash.startsWith("#token=") && location.reload());

start();
