/** Making and finding elements. Nothing here takes HTML as text, so that nothing a gallery holds can become markup. */

const SVG = "http://www.w3.org/2000/svg";

/** The element of an id. */
export const byId = (id) => document.getElementById(id);

/**
 * Make an element: functions among the attributes listen to the event of that name, false and null leave an attribute out,
 * and children that are false or null are left out too.
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null && child !== false));
  return made;
}

/** A drawing from the symbols of index.html, which says nothing to a screen reader: words stand beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.classList.add("icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** A button with a drawing and words; `label` is what a screen reader says where the words alone would not tell buttons apart. */
export function button(words, { symbol, label, ...attributes }) {
  return element("button", { type: "button", "aria-label": label, ...attributes }, symbol && icon(symbol), words);
}

/** Say something to people who cannot see it. */
export function announce(text) {
  const announcer = byId("announcer");
  announcer.textContent = "";
  // The same text twice is two announcements.
  setTimeout(() => (announcer.textContent = text), 50);
}

/** Show a message in an element, or hide it if there is none. */
export function show(place, text) {
  place.textContent = text || "";
  place.hidden = !text;
}
