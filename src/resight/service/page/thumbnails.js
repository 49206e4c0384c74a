/** Images of sightings. They need the token, so they are fetched and shown from memory, and only once they come into view. */

import * as api from "./api.js";
import { element } from "./dom.js";

const STRIP = "resight-strip"; // what a comment in a picture says that holds the crops of a tracklet, the best at the left

export class Thumbnails {
  constructor() {
    this.clear();
  }

  /** Forget all images, for example because others are shown now. */
  clear() {
    this.abort?.abort();
    this.observer?.disconnect();
    for (const url of this.urls ?? []) URL.revokeObjectURL(url);
    this.urls = [];
    this.abort = new AbortController();
    this.observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "300px" });
  }

  /** An `img` that shows a sighting as soon as it is looked at. */
  image(id, alt) {
    const image = element("img", { class: "thumbnail", alt, "data-id": id });
    this.observer.observe(image);
    return image;
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.observer.unobserve(target);
      this.#load(target, this.abort.signal);
    }
  }

  async #load(image, signal) {
    try {
      const blob = await api.thumbnail(image.dataset.id, signal);
      if (signal.aborted) return;
      const strip = (await blob.slice(6, 19).text()) === STRIP;
      const url = URL.createObjectURL(blob);
      this.urls.push(url);
      image.classList.toggle("strip", strip);
      image.src = url;
      if (strip && image.parentElement?.classList.contains("crop")) {
        image.after(element("img", { class: "thumbnail whole", alt: `All crops of this tracklet: ${image.alt}`, src: url }));
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      // A sighting may have been purged since it was found.
      image.alt = `${image.alt} (no image: ${error.message})`;
      image.classList.add("missing");
    }
  }
}
