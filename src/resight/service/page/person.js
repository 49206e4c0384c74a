/** One person of the last minutes: name, cameras, times, and a picture of each tracklet. */

import { where } from "./card.js";
import { button, element } from "./dom.js";
import { counted } from "./format.js";
import { times } from "./passes.js";

const MOST = 8; // tracklets whose pictures are shown at first

/** What a person is called in words, also without a name. */
export const called = (person) => person.identity || "Unknown person";

/**
 * A card.
 *
 * @param image makes the picture of a sighting
 * @param may what the viewer may do: `change`, `rename`
 * @param on what happens: `elsewhere`, `timeline`, `name`, `split`, `select`
 */
export function personCard(person, { image, colour, may, chosen, on }) {
  const name = called(person);
  const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
  colour(swatch, person);
  const select =
    may.rename &&
    element("input", { type: "checkbox", "aria-label": `Select ${name}`, checked: chosen, "data-key": `select ${person.key}`, change: (event) => on.select(event.target.checked) });
  const pass = (one) =>
    element(
      "li",
      { class: "pass-by" },
      image(one.sightings[0], `${name}, ${where(one)}, ${times(one)}`),
      element("span", { class: "hint" }, element("b", {}, where(one)), ` ${times(one)}`),
      may.change &&
        person.identity &&
        button("Split off", {
          class: "link",
          label: `Split off ${where(one)}, ${times(one)}: this is not ${name}`,
          title: "This is somebody else",
          "data-key": `split ${one.sightings[0]}`,
          click: () => on.split(one),
        }),
    );
  const passes = [...person.tracklets].reverse(); // the last one first, as people are
  const list = element("ul", { class: "passes-by" }, ...passes.slice(0, MOST).map(pass));
  const rest = passes.slice(MOST);
  const more =
    rest.length > 0 &&
    button(`Show ${counted(rest.length, "more tracklet")}`, {
      class: "link",
      click: (event) => {
        list.append(...rest.map(pass));
        event.target.remove();
      },
    });
  const mayName = person.identity ? may.rename : may.change;
  return element(
    "li",
    { class: "card person", id: `person ${person.key}`, tabindex: "-1" },
    element("h3", {}, select, swatch, element("span", { class: "person-name" }, name), person.provisional && element("span", { class: "role" }, "provisional name")),
    element(
      "p",
      { class: "hint" },
      `${person.cameras.map((camera) => where({ camera })).join(" → ")}, ${times({ start: person.first, end: person.last })}`,
    ),
    list,
    more,
    element(
      "div",
      { class: "buttons actions" },
      button("Where else?", { symbol: "search", class: "small", label: `Where else was ${name}?`, click: on.elsewhere }),
      mayName &&
        button(person.provisional || !person.identity ? "Give a name …" : "Rename …", {
          symbol: person.provisional || !person.identity ? "confirm" : null,
          class: "small",
          label: `Give ${name} ${person.identity && !person.provisional ? "another" : "a"} name`,
          "data-key": `name ${person.key}`,
          click: on.name,
        }),
      person.identity && button("Timeline", { symbol: "timeline", class: "small", label: `Timeline of ${name}`, click: on.timeline }),
    ),
  );
}
