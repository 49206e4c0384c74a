/** Who passed which camera when: a row a camera, a bar for each tracklet, one colour a person. */

import { where } from "./card.js";
import { ticks } from "./chart.js";
import { element } from "./dom.js";
import { clock, day, moment, tick } from "./format.js";

const TICK = 84; // pixels between ticks, at least
const NARROW = 560; // pixels of the chart, below which names stand above the rows
const BESIDE = 180; // pixels that names and margins take; without the names
const AROUND = 40;
const LEAST = 7; // pixels of a bar
const LINE = 1.25; // rem of a line of bars

const seconds = (time) => Date.parse(time) / 1000;

/** "12:00:03 to 12:00:10", with the day if it is not today's. */
export function times({ start, end }) {
  const [first, last] = [new Date(start), new Date(end ?? start)];
  const from = day(first) === day(new Date()) ? clock(first) : moment(first);
  return clock(first) === clock(last) ? from : `${from} to ${clock(last)}`;
}

/** Bars of one camera, each with the first line on which it lies on no other. */
function lines(passes, gap) {
  const ends = [];
  return passes
    .sort((one, other) => one.from - other.from)
    .map((pass) => {
      let line = ends.findIndex((end) => end <= pass.from);
      if (line < 0) line = ends.push(0) - 1;
      ends[line] = Math.max(pass.to, pass.from + gap);
      return { ...pass, line };
    });
}

/**
 * Draw the passes of people between two times, in milliseconds.
 *
 * @param people as the service lists them
 * @param cameras names of rows that are drawn even if they are empty
 * @param look called with a person and a pass when somebody points at a bar, and without when no more
 * @param choose called with a person when a bar is pressed
 */
export function drawPasses(people, { cameras, since, until, width, colour, look, choose }) {
  const lane = Math.max(120, width - (width < NARROW ? AROUND : BESIDE));
  const [from, to] = [since / 1000, until / 1000];
  const part = (at) => Math.min(Math.max((at - from) / (to - from), 0), 1);
  const percent = (at) => `${100 * part(at)}%`;
  const { step, found } = ticks(from, to, Math.max(2, Math.floor(lane / TICK)));
  const all = people.flatMap((person) =>
    person.tracklets.map((pass) => ({ person, pass, from: seconds(pass.start), to: seconds(pass.end ?? pass.start) })),
  );
  const bar = ({ person, pass, from: first, to: last, line }) => {
    const words = `${person.identity || "unknown person"}, ${where(pass)}, ${times(pass)}`;
    const made = element("span", {
      class: "pass",
      title: words,
      "data-person": person.key,
      mouseenter: () => look(person, pass),
      mouseleave: () => look(),
      click: () => choose(person),
    });
    made.style.left = `min(${percent(first)}, 100% - ${LEAST}px)`;
    made.style.width = `max(${100 * (part(last) - part(first))}%, ${LEAST}px)`;
    made.style.top = `${0.2 + line * LINE}rem`;
    colour(made, person);
    return made;
  };
  const row = (camera) => {
    const mine = lines(
      all.filter(({ pass }) => pass.camera === camera),
      ((LEAST + 2) / lane) * (to - from),
    );
    const grid = found.map((at) => {
      const made = element("i", {});
      made.style.left = percent(at);
      return made;
    });
    const made = element("div", { class: "lane passes" }, ...grid, ...mine.map(bar));
    made.style.height = `${0.4 + LINE * Math.max(1, ...mine.map(({ line }) => line + 1))}rem`;
    return element("div", { class: "row-of-camera" }, element("span", { class: "camera-name" }, where({ camera })), made);
  };
  const names = [...new Set([...cameras, ...all.map(({ pass }) => pass.camera)])].sort();
  const labels = found.map((at) => {
    const made = element("span", {}, tick(new Date(at * 1000), step));
    made.style.left = percent(at);
    return made;
  });
  return element(
    "div",
    { class: "chart", role: "img", "aria-label": "Timeline of the people below, a row a camera; the list says the same" },
    ...names.map(row),
    element(
      "div",
      { class: "row-of-camera" },
      element("span", { class: "camera-name hint" }, day(new Date(until))),
      element("div", { class: "axis" }, ...labels),
    ),
  );
}
