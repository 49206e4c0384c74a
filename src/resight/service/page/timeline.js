/** One person's sightings against time, a row a camera; the same as a table for those who do not see the drawing. */

import * as api from "./api.js";
import { crop, facts, when, where } from "./card.js";
import { drawChart } from "./chart.js";
import { askNewName } from "./dialogs.js";
import { announce, button, byId, element } from "./dom.js";
import { counted, range } from "./format.js";
import { Thumbnails } from "./thumbnails.js";

const MOST = 5000; // sightings that are loaded

export class Timeline {
  /**
   * @param searchWith called with a sighting's record to ask with its image
   * @param failed called with an error, a way to try again or null, and where to tell of it
   */
  constructor({ searchWith, failed }) {
    Object.assign(this, { searchWith, failed });
    this.may = {};
    this.place = byId("timeline");
    this.thumbnails = new Thumbnails();
    this.width = 0;
    byId("timeline-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (byId("person").value.trim()) this.load(byId("person").value.trim());
      else byId("person").focus();
    });
    new ResizeObserver(() => this.#resized()).observe(this.place);
  }

  /** Forget what is shown. */
  clear() {
    this.abort?.abort();
    this.thumbnails.clear();
    this.place.replaceChildren();
    this.place.setAttribute("aria-busy", "false");
    this.sightings = null;
  }

  async load(identity) {
    this.clear();
    const { signal } = (this.abort = new AbortController());
    byId("person").value = identity;
    this.place.setAttribute("aria-busy", "true");
    this.place.append(element("p", { class: "hint loading" }, element("span", { class: "spinner" }), "Loading sightings …"));
    try {
      const { found, more } = await api.sightings(identity, MOST, signal);
      this.sightings = found;
      this.more = more;
      this.identity = identity;
      this.#draw();
      announce(found.length ? `${counted(found.length, "sighting")} of ${identity}.` : `No sighting of ${identity}.`);
    } catch (error) {
      if (error.name !== "AbortError") this.failed(error, () => this.load(identity), this.place);
    } finally {
      if (!signal.aborted) this.place.setAttribute("aria-busy", "false");
    }
  }

  #resized() {
    if (this.place.clientWidth === this.width) return;
    this.width = this.place.clientWidth;
    if (this.sightings?.length && this.width) this.chart.replaceWith((this.chart = this.#chart()));
  }

  #draw() {
    this.thumbnails.clear();
    const timed = this.sightings.filter(({ time }) => time);
    const timeless = this.sightings.filter(({ time }) => !time);
    const cameras = new Set(this.sightings.map(({ camera }) => camera)).size;
    if (!this.sightings.length) {
      this.place.replaceChildren(
        element(
          "div",
          { class: "panel" },
          element("p", { class: "sentence" }, `No sighting is called “${this.identity}”.`),
          element(
            "p",
            {},
            "Names come from what was enrolled, and from confirming results of a search. They are matched letter by letter.",
          ),
        ),
      );
      return;
    }
    const span = timed.length ? `, ${range(new Date(timed[0].time), new Date(timed.at(-1).time))}` : "";
    const cut = this.more ? ` Only the first ${counted(this.sightings.length, "sighting")} are shown.` : "";
    this.chart = this.#chart();
    this.detail = element("div", {
      class: "detail",
      role: "region",
      "aria-label": "Sightings chosen",
      tabindex: "-1",
      hidden: true,
    });
    this.place.replaceChildren(
      element(
        "section",
        { class: "panel chart-panel", "aria-labelledby": "chart-title" },
        element("h3", { id: "chart-title" }, this.identity),
        element(
          "p",
          { class: "hint" },
          `${counted(this.sightings.length, "sighting")} by ${counted(cameras, "camera")}${span}.${cut}`,
        ),
        this.may.rename && element("div", { class: "buttons" }, button("Rename …", { class: "small", click: () => this.#rename() })),
        this.chart,
        timeless.length > 0 &&
          button(`${counted(timeless.length, "sighting")} without a time`, { class: "link", click: () => this.#choose(timeless) }),
        this.detail,
      ),
      this.#table(),
    );
  }

  #chart() {
    const timed = this.sightings.filter(({ time }) => time);
    if (!timed.length) return element("div", { class: "chart" });
    return drawChart(timed, {
      name: this.identity,
      width: this.place.clientWidth,
      image: (...which) => this.thumbnails.image(...which),
      choose: (chosen, mark) => this.#choose(chosen, mark),
    });
  }

  /** Show some sightings below the drawing. */
  #choose(chosen, mark) {
    for (const one of this.place.querySelectorAll(".mark")) one.setAttribute("aria-pressed", String(one === mark));
    this.detail.hidden = false;
    this.detail.replaceChildren(element("ul", { class: "matches" }, ...chosen.map((one) => this.#card(one))));
    announce(`${counted(chosen.length, "sighting")} below the timeline.`);
    this.detail.scrollIntoView({ block: "nearest" });
  }

  #card(sighting) {
    const reject = () =>
      button("Reject", {
        symbol: "reject",
        class: "small",
        label: `Reject: ${when(sighting)} is not ${this.identity}`,
        click: () => this.#reject(sighting),
      });
    return element(
      "li",
      { class: "card" },
      crop(sighting, this.thumbnails, when(sighting), this.searchWith),
      element(
        "div",
        { class: "facts" },
        facts(["Camera", where(sighting)], ["Time", when(sighting)], ["Source", sighting.source.split("/").at(-1)]),
        this.may.change && element("div", { class: "buttons" }, reject()),
      ),
    );
  }

  /** Take the name from a sighting, which leaves the timeline. */
  async #reject({ id }) {
    const identity = this.identity;
    try {
      await api.judge(id, "", "reject", identity);
      await this.load(identity);
      byId("timeline-title").focus();
      announce(`Rejected: one sighting less of ${identity}.`);
    } catch (error) {
      this.failed(error, () => this.load(identity), this.place);
    }
  }

  /** Give this person another name, which may be another person's: then the two are one. */
  async #rename() {
    const identity = this.identity;
    const name = await askNewName(identity);
    if (name === null) return;
    try {
      const { found } = await api.sightings(name, 1);
      const renamed = await api.rename(identity, name, found.length > 0);
      await this.load(name);
      byId("timeline-title").focus();
      announce(`${counted(renamed, "sighting")} of ${identity} ${renamed === 1 ? "is" : "are"} of ${name} now.`);
    } catch (error) {
      this.failed(error, () => this.load(identity), this.place);
    }
  }

  #table() {
    const row = (one) =>
      element(
        "tr",
        {},
        element("td", {}, one.time ? element("time", { datetime: one.time }, when(one)) : "unknown"),
        element("td", {}, where(one)),
        element("td", { class: "source" }, one.source),
        element(
          "td",
          {},
          button("Search with this", {
            class: "link",
            label: `Search with this, ${when(one)}, ${where(one)}`,
            click: () => this.searchWith(one),
          }),
        ),
      );
    const headings = ["Time", "Camera", "Source", "Image"].map((heading) => element("th", { scope: "col" }, heading));
    const table = element(
      "table",
      {},
      element("caption", {}, `Sightings of ${this.identity}, the first at the top`),
      element("thead", {}, element("tr", {}, ...headings)),
      element("tbody", {}, ...this.sightings.map(row)),
    );
    // What scrolls must be reached by keys.
    const scrolls = { class: "scrolls", tabindex: "0", role: "region", "aria-label": `Table of the sightings of ${this.identity}` };
    return element("details", { class: "panel" }, element("summary", {}, "As a table"), element("div", scrolls, table));
  }
}
