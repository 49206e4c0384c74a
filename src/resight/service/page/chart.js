/** Sightings against time: a row a camera, a mark for those that would lie on each other. */

import { when, where } from "./card.js";
import { element } from "./dom.js";
import { counted, day, range, tick } from "./format.js";

const MARK = 40; // pixels; nearer ones share a mark
const TICK = 72; // pixels between ticks, at least
const NARROW = 560; // pixels of the chart, below which names stand above the rows
const BESIDE = 180; // pixels that names and margins take; without the names
const AROUND = 40;
const [MINUTE, HOUR, DAY] = [60, 3600, 86_400];
const STEPS = [
  ...[1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((step) => step * MINUTE),
  ...[1, 2, 3, 6, 12].map((step) => step * HOUR),
  ...[1, 2, 7, 14, 28].map((step) => step * DAY),
];

const seconds = ({ time }) => Date.parse(time) / 1000;

/** Where a part of the time lies: a mark's middle, so that no mark juts out. */
const along = (part) => `calc(${MARK / 2}px + (100% - ${MARK}px) * ${part})`;

/** Sightings by time as lists of neighbours, whose places all lie less than `gap` after the first one's. */
function neighbours(sightings, place, gap) {
  const lists = [];
  for (const one of sightings) {
    const last = lists.at(-1);
    if (last && place(one) - place(last[0]) < gap) last.push(one);
    else lists.push([one]);
  }
  return lists;
}

/** Seconds of the ticks between two times, at most so many, at round times of the viewer's day. */
export function ticks(from, to, most) {
  const step = STEPS.find((one) => (to - from) / one <= most) ?? Math.ceil((to - from) / most / DAY) * DAY;
  const offset = -new Date(from * 1000).getTimezoneOffset() * MINUTE;
  const found = [];
  for (let at = Math.ceil((from + offset) / step) * step - offset; at <= to; at += step) found.push(at);
  return { step, found };
}

/**
 * Draw sightings that have a time, the first one first.
 *
 * @param width of the place to draw into, in pixels
 * @param image makes the image of a sighting
 * @param choose called with the sightings of a mark, and the mark, when it is pressed
 */
export function drawChart(sightings, { name, width, image, choose }) {
  const lane = Math.max(2 * MARK, width - (width < NARROW ? AROUND : BESIDE));
  const [first, last] = [sightings[0], sightings.at(-1)].map(seconds);
  const around = first === last ? 30 : 0.02 * (last - first);
  const [from, to] = [first - around, last + around];
  const part = (at) => (at - from) / (to - from);
  const { step, found } = ticks(from, to, Math.max(2, Math.floor(lane / TICK)));
  const at = (moment, made) => {
    made.style.left = along(part(moment));
    return made;
  };
  const mark = (near) => {
    const [one, end] = [near[0], near.at(-1)];
    const words =
      near.length === 1 ? when(one) : `${counted(near.length, "sighting")}, ${range(new Date(one.time), new Date(end.time))}`;
    const number = near.length > 1 && element("span", { class: "number", "aria-hidden": "true" }, String(near.length));
    const shape = { type: "button", class: "mark", "aria-label": words, title: words, "aria-pressed": "false" };
    const made = element("button", { ...shape, click: () => choose(near, made) }, image(one.id, ""), number);
    return at(seconds(one), made);
  };
  const row = (camera) => {
    const mine = sightings.filter((one) => one.camera === camera);
    const lines = found.map((moment) => at(moment, element("i", { "aria-hidden": "true" })));
    const marks = neighbours(mine, (one) => part(seconds(one)) * (lane - MARK), MARK).map(mark);
    const title = where({ camera });
    return element(
      "div",
      { class: "row-of-camera", role: "group", "aria-label": title },
      element("span", { class: "camera-name", "aria-hidden": "true" }, title),
      element("div", { class: "lane" }, ...lines, ...marks),
    );
  };
  const cameras = [...new Set(sightings.map(({ camera }) => camera))].sort();
  const labels = found.map((moment) => at(moment, element("span", {}, tick(new Date(moment * 1000), step))));
  const [start, end] = [first, last].map((moment) => day(new Date(moment * 1000)));
  return element(
    "div",
    { class: "chart", role: "group", "aria-label": `Timeline of ${name}` },
    ...cameras.map(row),
    element(
      "div",
      { class: "row-of-camera", "aria-hidden": "true" },
      element("span", { class: "camera-name hint" }, start === end ? start : ""),
      element("div", { class: "axis" }, ...labels),
    ),
  );
}
