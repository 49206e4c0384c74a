/** The view of the cameras: whether they work, who walked past them of late, and what an operator makes of it. */

import * as api from "./api.js";
import { where } from "./card.js";
import { askNewName } from "./dialogs.js";
import { announce, button, byId, element, icon, show } from "./dom.js";
import { clock, count, counted, day, duration, moment } from "./format.js";
import { drawPasses, times } from "./passes.js";
import { called, personCard } from "./person.js";
import { Thumbnails } from "./thumbnails.js";

const EVERY = 3000; // milliseconds between two looks at the cameras
const ANYWAY = 60_000; // milliseconds after which people are asked for even if no camera has seen somebody
const IMAGES = 4; // of a person who is searched for
const GOLDEN = 137.508; // degrees between the colours of people, which keeps any number of them apart
const PROVISIONAL = /^person-[1-9]\d*$|.\?$/s;

/** Words and drawing for each state, and which colours of an answer it has. */
const STATES = {
  starting: ["Starting", "uncalibrated", "unknown"],
  running: ["Running", "match", "match"],
  reconnecting: ["Reconnecting", "possible", "possible"],
  ended: ["Ended", "unknown", "unknown"],
  failed: ["Failed", "problem", "failure"],
};

const recent = (time) => (day(new Date(time)) === day(new Date()) ? clock : moment)(new Date(time));

export class Cameras {
  /**
   * @param searchFor called with sightings' ids and names to search with their images, and ids to leave out of the answer
   * @param timeline called with an identity to show its sightings
   * @param failed called with an error, a way to try again or null, and where to tell of it
   */
  constructor({ searchFor, timeline, failed }) {
    Object.assign(this, { searchFor, timeline, failed });
    this.may = {};
    this.thumbnails = new Thumbnails();
    this.abort = new AbortController();
    this.clear();
    byId("lately").addEventListener("change", () => this.#people());
    byId("lately-now").addEventListener("click", () => this.#at(null));
    byId("merge").addEventListener("click", () => this.#merge());
    document.addEventListener("visibilitychange", () => this.#look());
    new ResizeObserver(() => this.#resized()).observe(byId("passes"));
  }

  /** Forget what is shown. */
  clear() {
    this.close();
    this.thumbnails.clear();
    this.images = new Map();
    this.cards = new Map();
    this.colours = new Map();
    this.chosen = new Set();
    this.people = null;
    this.until = null;
    this.seen = "";
    this.told = 0;
    byId("lately-now").hidden = true;
    for (const id of ["camera-states", "passes", "lately-people", "cameras-problem", "lately-words"]) byId(id).replaceChildren();
  }

  /** Look at the cameras now, and again and again. */
  open() {
    this.visible = true;
    return this.#look();
  }

  /** Look no more. */
  close() {
    this.visible = false;
    this.abort?.abort();
    clearTimeout(this.timer);
  }

  async #look() {
    clearTimeout(this.timer);
    if (!this.visible || document.hidden) return;
    try {
      const { cameras, trouble } = await api.cameraStates();
      if (!this.visible) return;
      byId("cameras-problem").replaceChildren();
      this.cameras = cameras;
      byId("camera-states").replaceChildren(...cameras.map(stateCard));
      show(byId("cameras-trouble"), trouble && `Attention: ${trouble}.`);
      byId("cameras-none").hidden = cameras.some(({ watched }) => watched);
      const seen = JSON.stringify(cameras.map(({ camera, sightings, watched }) => [camera, sightings, watched?.tracklets]));
      // A name comes a moment after its tracklet, so whoever is new is asked for twice.
      if (seen !== this.seen || this.unsettled || Date.now() - this.told > ANYWAY) {
        this.unsettled = seen !== this.seen;
        this.seen = seen;
        await this.#people();
      }
    } catch (error) {
      if (error.name !== "AbortError") this.failed(error, () => this.#look(), byId("cameras-problem"));
      if (error.status === 401) return;
    }
    clearTimeout(this.timer);
    if (this.visible) this.timer = setTimeout(() => this.#look(), EVERY);
  }

  /** Show another time than now, or now again. */
  #at(until) {
    this.until = until;
    byId("lately-now").hidden = !until;
    return this.#people();
  }

  async #people() {
    this.abort.abort();
    const { signal } = (this.abort = new AbortController());
    const length = 1000 * Number(byId("lately").value);
    const until = this.until ?? Date.now();
    const wanted = { since: new Date(until - length).toISOString(), ...(this.until && { until: new Date(until).toISOString() }) };
    try {
      const { people, since, more } = await api.people(wanted, signal);
      this.told = Date.now();
      this.people = people.map((one) => ({ ...one, key: one.identity || one.tracklets[0].sightings[0] }));
      this.span = { since: more ? Date.parse(since) : until - length, until };
      const keys = new Set(this.people.map(({ key }) => key));
      this.chosen = new Set([...this.chosen].filter((key) => keys.has(key)));
      this.#draw(more);
    } catch (error) {
      if (error.name !== "AbortError") this.failed(error, () => this.#people(), byId("cameras-problem"));
    }
  }

  #draw(more) {
    for (const person of [...this.people].reverse()) {
      if (person.identity && !this.colours.has(person.key)) this.colours.set(person.key, this.colours.size);
    }
    const tracklets = this.people.reduce((sum, one) => sum + one.tracklets.length, 0);
    const named = this.people.filter(({ identity }) => identity).length;
    const others = this.people.length - named;
    const words = [
      `${counted(named, "person", "people")} in ${counted(tracklets, "tracklet")}`,
      others && `${counted(others, "tracklet is", "tracklets are")} of unknown people`,
      this.until && `until ${moment(new Date(this.until))}`,
      more && "only the last ones are shown",
    ];
    byId("lately-words").textContent = this.people.length ? `${words.filter(Boolean).join("; ")}.` : "";
    this.#chart();
    const list = byId("lately-people");
    const held = list.contains(document.activeElement) && document.activeElement.dataset.key;
    const cards = new Map();
    for (const person of this.people) {
      const content = JSON.stringify(person);
      const before = this.cards.get(person.key);
      cards.set(person.key, before?.content === content ? before : { content, card: this.#card(person) });
    }
    this.cards = cards;
    const wanted = this.people.length ? [...cards.values()].map(({ card }) => card) : [this.#nobody()];
    if (wanted.length !== list.children.length || wanted.some((card, at) => card !== list.children[at])) list.replaceChildren(...wanted);
    if (held) list.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
    this.#tellChosen();
  }

  /** Nobody was there: when somebody was, and a way to go there. */
  #nobody() {
    const last = Math.max(...this.cameras.map((one) => Date.parse(one.last)).filter(Number.isFinite));
    const length = Number(byId("lately").value);
    const until = this.until ?? Date.now();
    const before = Number.isFinite(last) && last < until - 1000 * length;
    return element(
      "li",
      { class: "nobody" },
      element("p", {}, `Nobody in ${this.until ? "these" : "the last"} ${duration(length)}. `),
      before && element("p", {}, `The last tracklet or crop is of ${moment(new Date(last))}. `),
      before && button("Show that time", { class: "small", click: () => this.#at(last + 60_000) }),
    );
  }

  #resized() {
    const width = byId("passes").clientWidth;
    if (width && width !== this.width && this.people) this.#chart();
  }

  #chart() {
    const place = byId("passes");
    this.width = place.clientWidth;
    byId("passes-hint").hidden = !this.people.length;
    if (!this.people.length) return place.replaceChildren();
    const watched = this.cameras.filter((one) => one.watched).map(({ camera }) => camera);
    return place.replaceChildren(
      drawPasses(this.people, {
        cameras: watched,
        ...this.span,
        width: this.width,
        colour: (...which) => this.#colour(...which),
        look: (person, pass) => this.#lookAt(person, pass),
        choose: (person) => this.#goTo(person),
      }),
    );
  }

  #colour(made, person) {
    const number = this.colours.get(person.key);
    if (number === undefined) made.classList.add("nameless");
    else made.style.setProperty("--hue", String((number * GOLDEN + 250) % 360));
  }

  /** Say which tracklet a bar is, and show who else is the same. */
  #lookAt(person, pass) {
    for (const one of document.querySelectorAll("#passes .pass")) {
      one.classList.toggle("dim", Boolean(person) && one.dataset.person !== person.key);
    }
    const hint = byId("passes-hint");
    hint.textContent = person ? `${called(person)}, ${where(pass)}, ${times(pass)}` : hint.dataset.words;
  }

  #goTo(person) {
    const { card } = this.cards.get(person.key);
    card.scrollIntoView({ block: "nearest" });
    card.focus({ preventScroll: true });
  }

  #card(person) {
    return personCard(person, {
      image: (id, alt) => {
        if (!this.images.has(id)) this.images.set(id, this.thumbnails.image(id, alt));
        const image = this.images.get(id);
        image.alt = alt;
        return image;
      },
      colour: (...which) => this.#colour(...which),
      may: this.may,
      chosen: this.chosen.has(person.key),
      on: {
        elsewhere: () => this.#elsewhere(person),
        timeline: () => this.timeline(person.identity),
        name: () => this.#name(person),
        split: (pass) => this.#split(person, pass),
        select: (chosen) => {
          this.chosen[chosen ? "add" : "delete"](person.key);
          this.#tellChosen();
        },
      },
    });
  }

  #tellChosen() {
    const number = this.chosen.size;
    byId("merging").hidden = !this.may.rename || !this.people?.length;
    byId("merge").disabled = number < 2;
    byId("merge-words").textContent =
      number < 2 ? "Tick two people who are the same to merge them." : `${counted(number, "person", "people")} ticked.`;
  }

  /** Search with the last image of each camera, and leave out what is known to be this person. */
  #elsewhere(person) {
    const last = new Map(person.tracklets.map((one) => [one.camera, one]));
    const used = [...last.values()].slice(-IMAGES);
    const own = new Set(person.tracklets.flatMap(({ sightings }) => sightings));
    return this.searchFor(
      used.map(({ sightings, camera }) => ({ id: sightings[0], camera })),
      { ids: own, identity: person.identity },
    );
  }

  async #name(person) {
    const name = await askNewName(person.identity, {
      title: `Who is ${person.identity || "this"}?`,
      what: "All tracklets of this person get the name. If somebody has the name already, the two become one person.",
      suggested: person.provisional ? (/^(.+)\?$/s.exec(person.identity)?.[1] ?? "") : person.identity,
      check: (given) => (PROVISIONAL.test(given) ? "This has the form of a provisional name. Give another." : ""),
    });
    if (name !== null) await this.#change([person], name, `${called(person)} is called ${name} now.`, `name ${name}`);
  }

  async #merge() {
    const several = this.people.filter(({ key }) => this.chosen.has(key));
    const best = several.find(({ identity, provisional }) => identity && !provisional) ?? several.find(({ identity }) => identity);
    const name = await askNewName("", {
      title: `Are these ${count(several.length)} one person?`,
      what: `${several.map(called).join(", ")}: all their tracklets get one name.`,
      suggested: best?.identity ?? "",
    });
    if (name === null) return;
    this.chosen.clear();
    await this.#change(several, name, `${counted(several.length, "person", "people")} merged as ${name}.`, `name ${name}`);
  }

  async #split(person, pass) {
    await this.#do(() => api.label(pass.sightings, ""), `Split off: ${where(pass)}, ${times(pass)} is not ${called(person)}.`, `name ${person.key}`);
  }

  /** Give some people one name. */
  async #change(people, name, words, key) {
    const all = async () => {
      for (const { identity, tracklets } of people) {
        if (identity === name) continue;
        if (identity) {
          const { found } = await api.sightings(name, 1);
          await api.rename(identity, name, found.length > 0);
        } else {
          await api.label(
            tracklets.flatMap(({ sightings }) => sightings),
            name,
          );
        }
      }
    };
    await this.#do(all, words, key);
  }

  async #do(work, words, key) {
    try {
      await work();
      this.unsettled = true;
      await this.#people();
      byId("lately-people").querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
      announce(words);
    } catch (error) {
      this.failed(error, null, byId("cameras-problem"));
    }
  }
}

/** One camera: its state in words and colour, and what it has seen. */
function stateCard({ camera, sightings, last, watched }) {
  const [word, symbol, colours] = watched ? STATES[watched.state] : ["Not watched", "unknown", "unknown"];
  const lost = watched && [
    watched.dropped && `${count(watched.dropped)} dropped`,
    watched.broken && `${count(watched.broken)} broken`,
    watched.reconnected && `${counted(watched.reconnected, "time")} reconnected`,
  ];
  const pairs = watched
    ? [
        ["In view", watched.state === "running" && counted(watched.in_view, "person", "people")],
        ["Last frame", watched.last ? recent(watched.last) : watched.frames > 0 && "time unknown"],
        ["Frames", [count(watched.frames), ...lost.filter(Boolean)].join(", ")],
        ["Tracklets", count(watched.tracklets)],
      ]
    : [
        ["Sightings", count(sightings)],
        ["The last", last && recent(last)],
      ];
  const facts = pairs
    .filter(([, value]) => value)
    .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  return element(
    "li",
    { class: `camera ${colours}` },
    element("h3", {}, where({ camera }), element("span", { class: `band ${colours}` }, icon(symbol), word)),
    watched?.reason && element("p", { class: "reason" }, watched.reason),
    element("dl", {}, ...facts),
  );
}
