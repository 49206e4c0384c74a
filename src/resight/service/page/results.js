/** The ranked list of one search: what was found, whom it shows, and what people make of it. */

import * as api from "./api.js";
import { BANDS, found } from "./answer.js";
import { crop, facts, when, where } from "./card.js";
import { announce, button, byId, element, icon } from "./dom.js";
import { askName, askReason, download } from "./dialogs.js";
import { counted, distance } from "./format.js";
import { Thumbnails } from "./thumbnails.js";

export class Results {
  /**
   * @param searchWith called with a sighting's record to ask with its image
   * @param timeline called with an identity to show its sightings
   * @param failed called with an error that an action ended in
   */
  constructor({ searchWith, timeline, failed }) {
    Object.assign(this, { searchWith, timeline, failed });
    this.thumbnails = new Thumbnails();
    this.list = byId("matches");
    this.toolbar = byId("toolbar");
    byId("select-all").addEventListener("change", (event) => this.#selectAll(event.target.checked));
    byId("export").addEventListener("click", () => this.#export());
    byId("rename").addEventListener("click", () => this.#askName());
  }

  /** Take away the list and show a message in its place. */
  tell(message) {
    this.thumbnails.clear();
    this.list.replaceChildren();
    this.list.hidden = this.toolbar.hidden = true;
    byId("answer").replaceChildren(message);
  }

  show(answer, session, told) {
    this.tell(found(answer, session.calibration, told));
    this.answer = answer;
    this.may = session.may;
    this.name = "";
    this.selected = new Set();
    this.notice = "";
    this.list.append(...answer.matches.map((match) => this.#card(match)));
    this.list.hidden = false;
    this.#suggest();
    this.#drawToolbar();
    const words = answer.decision ? `${BANDS[answer.decision]}. ` : "Not calibrated. ";
    announce(`${words}${counted(answer.matches.length, "sighting")}, the most alike first.`);
  }

  #card(match) {
    const { rank, band } = match;
    const card = element("li", { class: "card", "data-id": match.id });
    const tick = (event) => this.#select(match.id, event.target.checked);
    const verdict = (words, name) =>
      button(words, {
        symbol: name,
        class: `small ${name}`,
        label: `${words} rank ${rank}`,
        "aria-pressed": "false",
        click: () => this.#judge(match, card, name),
      });
    const selects =
      this.may.change &&
      element(
        "label",
        { class: "tick" },
        element("input", { type: "checkbox", "aria-label": `Select rank ${rank}`, change: tick }),
      );
    card.append(
      crop(match, this.thumbnails, `rank ${rank}`, this.searchWith, selects),
      element(
        "div",
        { class: "facts" },
        element(
          "h3",
          {},
          element("span", { class: "visually-hidden" }, "Rank "),
          element("span", { class: "rank" }, String(rank)),
          " ",
          band && element("span", { class: `band ${band}` }, icon(band), BANDS[band]),
        ),
        facts(
          ["Distance", distance(match.distance)],
          ["Camera", where(match)],
          ["Time", match.time ? element("time", { datetime: match.time }, when(match)) : "unknown"],
          ["Identity", element("span", { class: "identity" })],
        ),
        this.may.change && element("div", { class: "buttons actions" }, verdict("Confirm", "confirm"), verdict("Reject", "reject")),
      ),
    );
    this.#identity(match, card);
    return card;
  }

  /** Whom a card shows now, and whom it showed before a verdict changed that. */
  #identity(match, card, before = "") {
    card.querySelector(".identity").replaceChildren(
      match.identity
        ? button(match.identity, {
            class: "link",
            label: `${match.identity}: timeline`,
            title: "Show all sightings on a timeline",
            click: () => this.timeline(match.identity),
          })
        : "unknown",
      before && before !== match.identity ? `, was ${before}` : "",
    );
  }

  /** Confirm or reject. Rejecting what was confirmed here gives the sighting the name back that it had before. */
  async #judge(match, card, verdict) {
    if (!this.name && !(await this.#askName())) return;
    const both = [...card.querySelectorAll(".confirm, .reject")];
    if (both[0].disabled) return;
    for (const one of both) one.disabled = true;
    const search = this.answer.search;
    try {
      const before = match.identity;
      match.identity = (await api.judge(match.id, search, verdict, this.name)).identity;
      if (verdict === "confirm") match.former ??= before;
      else if (before && !match.identity && match.former && match.former !== before) {
        await api.label([match.id], match.former);
        match.identity = match.former;
      }
      card.classList.toggle("confirmed", verdict === "confirm");
      card.classList.toggle("rejected", verdict === "reject");
      this.#identity(match, card, before);
      this.#suggest();
      for (const one of both) one.setAttribute("aria-pressed", String(one.classList.contains(verdict)));
      const words = verdict === "confirm" ? `confirmed as ${match.identity}` : `rejected: not ${this.name}`;
      announce(`Rank ${match.rank} ${words}.`);
    } catch (error) {
      this.failed(error);
    } finally {
      for (const one of both) one.disabled = false;
      card.querySelector(`.${verdict}`).focus({ preventScroll: true });
    }
  }

  /** The name that this search's verdicts are about; asked for once. */
  async #askName() {
    const [first] = this.answer.matches;
    const name = await askName(this.name || (first.band === "match" ? first.identity : ""));
    if (name === null) return "";
    this.name = name;
    this.#drawToolbar();
    return name;
  }

  /** Offer the names that were seen wherever one is asked for. */
  #suggest() {
    const people = byId("people");
    const known = new Set([...people.children].map((option) => option.value));
    for (const { identity } of this.answer.matches) if (identity && !known.has(identity)) known.add(identity);
    people.replaceChildren(...[...known].sort().map((value) => element("option", { value })));
  }

  #select(id, chosen) {
    this.selected[chosen ? "add" : "delete"](id);
    this.notice = "";
    this.#drawToolbar();
  }

  #selectAll(chosen) {
    for (const box of this.list.querySelectorAll(".tick input")) box.checked = chosen;
    this.selected = new Set(chosen ? this.answer.matches.map(({ id }) => id) : []);
    this.notice = "";
    this.#drawToolbar();
  }

  #drawToolbar() {
    this.toolbar.hidden = !this.may.change;
    if (!this.may.change) return;
    const number = this.selected.size;
    const all = byId("select-all");
    all.checked = number > 0 && number === this.answer.matches.length;
    all.indeterminate = number > 0 && !all.checked;
    byId("export-words").textContent = number ? `Export ${number} …` : "Export …";
    byId("export").disabled = number === 0;
    byId("notice").textContent = this.notice;
    byId("naming").hidden = !this.name;
    byId("named").textContent = this.name;
  }

  async #export() {
    const ids = this.answer.matches.map(({ id }) => id).filter((id) => this.selected.has(id));
    const reason = await askReason(`${counted(ids.length, "sighting")} with image, camera, time and identity go into a ZIP file.`);
    if (reason === null) return;
    this.notice = "Exporting …";
    this.#drawToolbar();
    try {
      const file = await api.exported(ids, reason);
      download(file);
      const entry = file.number ? ` Audit entry ${file.number}${file.sha256 ? ` (${file.sha256.slice(0, 12)})` : ""}.` : "";
      this.notice = `${counted(ids.length, "sighting")} exported as ${file.name}.${entry}`;
    } catch (error) {
      this.notice = "";
      this.failed(error);
    }
    this.#drawToolbar();
    byId("export").focus();
  }
}
