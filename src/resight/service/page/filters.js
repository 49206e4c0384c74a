/** Where and when is searched: cameras as a list to tick, and a range of time in the zone of whoever looks. */

import { byId, element } from "./dom.js";
import { count } from "./format.js";

const NUMBERS = [10, 20, 50, 100, 200]; // of sightings to show
const USUAL = 20;

export class Filters {
  constructor(onChange) {
    this.onChange = onChange;
    for (const id of ["since", "until", "k", "one-per", "camera-list"]) byId(id).addEventListener("change", onChange);
    byId("cameras-all").addEventListener("click", () => this.#tick(true));
    byId("cameras-none").addEventListener("click", () => this.#tick(false));
  }

  /** Offer no more sightings than the service finds. */
  limit(most) {
    const last = Math.min(most, NUMBERS.at(-1));
    const offered = [...NUMBERS.filter((number) => number < last), last];
    byId("k").replaceChildren(
      ...offered.map((number) => element("option", { selected: number === Math.min(USUAL, last) }, String(number))),
    );
  }

  /** List the cameras. All are ticked, or, if some were unticked, those that were ticked before. */
  show(cameras) {
    const ticked = this.#boxes().every((box) => box.checked) ? null : this.#ticked();
    byId("cameras").hidden = cameras.length === 0;
    byId("camera-list").replaceChildren(
      ...cameras.map(({ camera, sightings }) =>
        element(
          "li",
          {},
          element(
            "label",
            {},
            element("input", { type: "checkbox", value: camera, checked: !ticked || ticked.includes(camera) }),
            element("span", {}, camera || "(no camera known)"),
            element("span", { class: "count" }, element("span", { class: "visually-hidden" }, ", sightings: "), count(sightings)),
          ),
        ),
      ),
    );
  }

  /** What is wrong with them, in words; empty if nothing is. */
  problem() {
    if (this.#boxes().length && !this.#ticked().length) return "No camera is ticked. Tick those to search.";
    for (const [id, name] of [
      ["since", "From"],
      ["until", "Before"],
    ]) {
      if (byId(id).validity.badInput) return `The time after “${name}” is not complete. Fill it in, or clear it.`;
    }
    const [since, until] = ["since", "until"].map((id) => byId(id).value);
    if (since && until && since >= until) return "The time range is empty. Choose an end after its beginning.";
    return "";
  }

  fill(form) {
    const ticked = this.#ticked();
    // All cameras are no filter, so that sightings of cameras that came since are found as well.
    if (ticked.length < this.#boxes().length) ticked.forEach((camera) => form.append("camera", camera));
    for (const id of ["since", "until"]) if (byId(id).value) form.append(id, new Date(byId(id).value).toISOString());
    for (const [name, id] of [
      ["k", "k"],
      ["one_per", "one-per"],
    ])
      form.append(name, byId(id).value);
  }

  /** In words, for the answer: "3 of 5 cameras". */
  told() {
    const [ticked, all] = [this.#ticked().length, this.#boxes().length];
    const where = ticked < all && `${ticked} of ${all} cameras`;
    const when = (byId("since").value || byId("until").value) && "a range of time";
    return [where, when].filter(Boolean).join(" and ");
  }

  /** Search everything again. */
  clear() {
    byId("since").value = byId("until").value = "";
    this.#tick(true);
  }

  #boxes() {
    return [...byId("camera-list").querySelectorAll("input")];
  }

  /** Names of the cameras to search. */
  #ticked() {
    return this.#boxes()
      .filter((box) => box.checked)
      .map((box) => box.value);
  }

  #tick(checked) {
    for (const box of this.#boxes()) box.checked = checked;
    this.onChange();
  }
}
