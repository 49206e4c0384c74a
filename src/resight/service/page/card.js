/** What a sighting looks like, in a list of results as on a timeline. */

import { button, element } from "./dom.js";
import { moment } from "./format.js";

/** When it was, in words. */
export const when = ({ time }) => (time ? moment(new Date(time)) : "unknown time");

/** Which camera saw it, in words. */
export const where = ({ camera }) => camera || "unknown camera";

/** Its image with a way to ask with it; `name` tells this sighting from the others, `more` lies on the image. */
export const crop = (sighting, thumbnails, name, searchWith, ...more) =>
  element(
    "div",
    { class: "crop" },
    thumbnails.image(sighting.id, `Crop, ${name}`),
    ...more,
    button("Search with this", {
      class: "link",
      label: `Search with this, ${name}`,
      title: sighting.source && `From ${sighting.source}`,
      click: () => searchWith(sighting),
    }),
  );

/** Names and values, one pair a line; pairs without a value are left out. */
export const facts = (...pairs) =>
  element(
    "dl",
    {},
    ...pairs.filter(([, value]) => value).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
