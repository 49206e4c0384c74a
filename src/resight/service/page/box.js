/** A box around one person on an image: drawn by mouse or finger, moved and sized by keys, or given in numbers. */

import { byId } from "./dom.js";

const LEAST = 4; // pixels of the image, either way
const STILL = 4; // pixels of the screen within which a press is no drawing
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SIDES = ["x", "y", "width", "height"];

const clamp = (value, least, most) => Math.min(Math.max(Math.round(value), least), Math.max(least, most));

/** The box between two points of an image, in whole pixels. */
export function between([x0, y0], [x1, y1], { width, height }) {
  const left = clamp(Math.min(x0, x1), 0, width - LEAST);
  const top = clamp(Math.min(y0, y1), 0, height - LEAST);
  return {
    x: left,
    y: top,
    width: clamp(Math.max(x0, x1) - left, LEAST, width - left),
    height: clamp(Math.max(y0, y1) - top, LEAST, height - top),
  };
}

/** A box as near as can be to the one given, within an image. */
export function within(box, image) {
  const width = clamp(box.width, LEAST, image.width);
  const height = clamp(box.height, LEAST, image.height);
  return { x: clamp(box.x, 0, image.width - width), y: clamp(box.y, 0, image.height - height), width, height };
}

/** Edits the `box` of the picture that it shows: `{url, width, height, box}`, with box null for the whole image. */
export class BoxEditor {
  constructor(onChange) {
    this.onChange = onChange;
    this.picture = null;
    this.stage = byId("stage");
    this.box = byId("box");
    this.numbers = SIDES.map((side) => byId(`box-${side}`));
    this.stage.addEventListener("pointerdown", (event) => this.#press(event));
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.numbers.forEach((input) => input.addEventListener("change", () => this.#typed()));
    byId("box-add").addEventListener("click", () => this.#add());
    byId("box-clear").addEventListener("click", () => this.#clear());
  }

  show(picture) {
    this.picture = picture;
    const preview = byId("preview");
    preview.src = picture.url;
    preview.alt = `Image of the person: ${picture.name}`;
    const ratio = picture.width / picture.height;
    this.stage.style.aspectRatio = `${picture.width} / ${picture.height}`;
    this.stage.style.width = `min(100%, calc(var(--stage-height) * ${ratio}))`;
    this.#draw();
  }

  #set(box) {
    this.picture.box = box;
    this.#draw();
    this.onChange();
  }

  #draw() {
    const { box, width, height } = this.picture;
    const { x, y, width: wide, height: tall } = box ?? { x: 0, y: 0, width, height };
    this.box.hidden = !box;
    this.box.style.left = `${(100 * x) / width}%`;
    this.box.style.top = `${(100 * y) / height}%`;
    this.box.style.width = `${(100 * wide) / width}%`;
    this.box.style.height = `${(100 * tall) / height}%`;
    const text = box ? `Box of ${wide} × ${tall} pixels, ${x} from the left and ${y} from the top.` : "";
    this.box.setAttribute("aria-label", `Box around the person. ${text}`);
    byId("box-state").textContent = text || `The whole image is used (${width} × ${height} pixels). Draw on it to use a part.`;
    byId("box-add").hidden = Boolean(box);
    byId("box-clear").hidden = !box;
    [x, y, wide, tall].forEach((value, side) => {
      this.numbers[side].value = value;
      this.numbers[side].max = side % 2 ? height : width;
    });
  }

  #add() {
    const { width, height } = this.picture;
    const tall = 0.75 * height; // as people are, in the middle
    const wide = Math.min(0.5 * width, 0.45 * tall);
    this.#set(within({ x: (width - wide) / 2, y: (height - tall) / 2, width: wide, height: tall }, this.picture));
    this.box.focus();
  }

  #clear() {
    const focused = document.activeElement === this.box || document.activeElement === byId("box-clear");
    this.#set(null);
    if (focused) byId("box-add").focus();
  }

  #typed() {
    const values = this.numbers.map((input) => Number(input.value) || 0);
    this.#set(within(Object.fromEntries(SIDES.map((side, number) => [side, values[number]])), this.picture));
  }

  #key(event) {
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.#clear();
      return;
    }
    const arrow = ARROWS[event.key];
    if (!arrow || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const { box, width, height } = this.picture;
    const step = Math.max(1, Math.round(Math.max(width, height) / 100));
    const [right, down] = arrow.map((way) => way * step);
    if (event.shiftKey) {
      const [wide, tall] = [box.width + right, box.height + down].map((side) => Math.max(side, LEAST));
      this.#set(between([box.x, box.y], [box.x + wide, box.y + tall], this.picture));
    } else this.#set(within({ ...box, x: box.x + right, y: box.y + down }, this.picture));
  }

  /** Where the pointer is, in pixels of the image. */
  #at(event) {
    const area = this.stage.getBoundingClientRect();
    const { width, height } = this.picture;
    return [((event.clientX - area.left) / area.width) * width, ((event.clientY - area.top) / area.height) * height];
  }

  #press(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    const before = this.picture.box;
    const start = this.#at(event);
    const drag = this.#dragging(event.target, start, before);
    const moved = (now) => {
      if (Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) < STILL && this.picture.box === before) return;
      this.#set(drag(this.#at(now)));
    };
    const finish = (now) => {
      for (const [name, listener] of listeners) this.stage.removeEventListener(name, listener);
      if (now.type === "pointercancel") this.#set(before);
      if (this.picture.box) this.box.focus({ preventScroll: true });
    };
    const listeners = [
      ["pointermove", moved],
      ["pointerup", finish],
      ["pointercancel", finish],
    ];
    for (const [name, listener] of listeners) this.stage.addEventListener(name, listener);
    this.stage.setPointerCapture(event.pointerId);
  }

  /** What a drag that starts on a target does: from a point to a box. */
  #dragging(target, start, box) {
    const image = this.picture;
    const corner = target.dataset.corner;
    if (corner) {
      const anchor = [corner.includes("w") ? box.x + box.width : box.x, corner.includes("n") ? box.y + box.height : box.y];
      return (point) => between(anchor, point, image);
    }
    if (target === this.box) {
      return (point) => within({ ...box, x: box.x + point[0] - start[0], y: box.y + point[1] - start[1] }, image);
    }
    return (point) => between(start, point, image);
  }
}
