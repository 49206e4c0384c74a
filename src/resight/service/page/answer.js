/** What a search says before its list: one sentence, what it rests on, and how near everything found is. */

import { button, element, icon } from "./dom.js";
import { counted, distance, percent } from "./format.js";

/** Words for the bands of scores; each has a drawing of the same name. */
export const BANDS = { match: "Match", possible: "Possible", unknown: "Unknown" };

const SENTENCES = {
  match: "Match: this person is probably in the gallery.",
  possible: "Possible: somebody alike is in the gallery.",
  unknown: "Unknown: nobody in the gallery is near enough.",
};

const card = (kind, symbol, title, ...content) =>
  element(
    "div",
    { class: `answer ${kind}` },
    icon(symbol),
    element("div", {}, element("p", { class: "sentence" }, title), ...content),
  );

/** Before the first search. */
export const nothingAsked = (size) =>
  card(
    "quiet-answer",
    "search",
    "Who are you looking for?",
    element(
      "p",
      {},
      "Choose, drop or paste an image of the person, draw a box around them if others are on it, and search. ",
      `${counted(size, "sighting")} can be searched.`,
    ),
  );

/** While the service works. */
export const searching = (size, cancel) =>
  element(
    "div",
    { class: "answer quiet-answer" },
    element("span", { class: "spinner", "aria-hidden": "true" }),
    element(
      "div",
      {},
      element("p", { class: "sentence" }, `Searching ${counted(size, "sighting")}…`),
      element("div", { class: "buttons" }, button("Cancel", { class: "small", click: cancel })),
    ),
  );

/** Something failed: what, and buttons for the way out. */
export const failed = (title, detail, ...ways) =>
  element(
    "div",
    { class: "answer failure", role: "alert" },
    icon("problem"),
    element(
      "div",
      {},
      element("p", { class: "sentence" }, title),
      element("p", {}, detail),
      element("div", { class: "buttons" }, ...ways),
    ),
  );

/** Nothing lies within the filters, or in the gallery at all. */
export const nothingThere = (filters, everywhere) =>
  filters
    ? card(
        "unknown",
        "unknown",
        "No sighting there.",
        element("p", {}, `Nothing was compared: ${filters} hold no sighting.`),
        element("div", { class: "buttons" }, button("Search everything", { class: "small", click: everywhere })),
      )
    : card(
        "unknown",
        "unknown",
        "The gallery is empty.",
        element(
          "p",
          {},
          "Add crops of people with ",
          element("code", {}, "resight gallery add GALLERY CROPS"),
          ", then search again.",
        ),
      );

/** All that was found is known to be the person; `more` if the service lists no further, though others may be there. */
export const nowhereElse = (left, more) =>
  card(
    "unknown",
    "unknown",
    more ? `Nowhere else among the nearest ${counted(left, "tracklet")}.` : "Nowhere else.",
    element(
      "p",
      {},
      more
        ? "All of them are known to be this person, and the service lists no more."
        : `Only ${counted(left, "tracklet")} of this person ${left === 1 ? "was" : "were"} found, which you know already.`,
    ),
  );

/** The answer's sentence and what stands behind it; `told` says what was searched. */
export function found({ decision, matches, thresholds, why, asks }, calibration, told) {
  if (!decision) {
    return card(
      "uncalibrated",
      "uncalibrated",
      "Not calibrated: the list is in order, but nobody can say who is a match.",
      element("p", {}, "Calibrate with labelled images of your own cameras, then start the service with the result:"),
      element("p", {}, element("code", {}, "resight calibrate --data FOLDER")),
      element("p", {}, "or without labels: ", element("code", {}, "resight calibrate --unlabelled GALLERY")),
      element("p", {}, element("code", {}, "resight serve GALLERY --calibration calibration.json")),
      element("p", { class: "hint" }, told),
    );
  }
  return element(
    "div",
    {},
    card(
      decision,
      decision,
      SENTENCES[decision],
      ...why.map((sentence) => element("p", { class: "why" }, sentence)),
      element("p", {}, promise(decision, asks === "tracklet" ? { ...calibration, ...calibration.tracklets } : calibration)),
      element("p", { class: "hint" }, told),
    ),
    scale(matches, thresholds),
  );
}

/** What a calibration promises about such an answer: about such a question, and a gallery of so many people. */
function promise(decision, { match, possible, people, promise: kind, notes }) {
  if (notes.length) return `Compare the images: ${notes.join("; ")}.`;
  const share = ({ wanted, false_positives: { lower, upper } }) =>
    kind === "guaranteed" ? `at most ${percent(wanted)}` : `about ${percent(wanted)} (between ${percent(lower)} and ${percent(upper)})`;
  const absent = (point) =>
    `In a gallery of up to ${people} people, ${share(point)} of searches for somebody who is not here are answered`;
  if (decision === "match") return `${absent(match)} “match”. Compare the images before you act.`;
  if (decision === "possible") return `${absent(possible)} “possible” or “match”. Compare the images.`;
  const listed = "The nearest are listed all the same; expect other people.";
  if (!possible.misses) return listed;
  const missed = `${percent(possible.misses.value)} of searches for somebody who was there, seen by another camera,`;
  return `${listed} When it was calibrated, ${missed} ended so too.`;
}

/** A line of all distances found, with the bands of the calibration behind it; the list says the same in words. */
function scale(matches, { match, possible }) {
  const distances = matches.map((one) => one.distance);
  const least = Math.min(0, ...distances);
  const most = Math.max(possible * 1.25, ...distances);
  const place = (value) => `${(100 * (Math.min(Math.max(value, least), most) - least)) / (most - least)}%`;
  const zones = element("div", { class: "zones" });
  const edges = [least, match, possible, most];
  for (const [number, band] of Object.keys(BANDS).entries()) {
    const [from, to] = edges.slice(number, number + 2);
    const zone = element("span", { class: `zone ${band}` }, BANDS[band]);
    zone.style.left = place(from);
    zone.style.right = `calc(100% - ${place(to)})`;
    zones.append(zone);
  }
  for (const value of distances) {
    const mark = element("i");
    mark.style.left = place(value);
    zones.append(mark);
  }
  return element(
    "div",
    { class: "scale", "aria-hidden": "true" },
    zones,
    element(
      "p",
      { class: "hint" },
      `Distance of what was found, from ${distance(distances[0])} to ${distance(distances.at(-1))}: left is more alike.`,
    ),
  );
}
