/** The images that ask: chosen, dropped, pasted, or taken from a result. All are of one person. */

import { announce, byId, element, show } from "./dom.js";
import { BoxEditor } from "./box.js";
import { counted } from "./format.js";

const MOST = 8;

export class Pictures {
  /**
   * @param onChange called whenever another search would come of it.
   */
  constructor(onChange) {
    this.list = [];
    this.chosen = 0;
    this.mostBytes = Infinity;
    this.onChange = onChange;
    this.editor = new BoxEditor(() => {
      this.#strip();
      onChange();
    });
    const files = byId("files");
    files.addEventListener("change", () => {
      this.add([...files.files]);
      files.value = ""; // the same file may be chosen again
    });
    byId("remove").addEventListener("click", () => this.#remove());
    this.#receive();
    this.#enlarge();
  }

  /** Add image files; those that the browser cannot show are named. */
  async add(files) {
    const { list } = this;
    const problems = [];
    if (this.list.length + files.length > MOST) problems.push(`A search takes at most ${MOST} images.`);
    let added = 0;
    for (const file of files.slice(0, MOST - this.list.length)) {
      if (file.size > this.mostBytes) {
        const [size, most] = [file.size, this.mostBytes].map((bytes) => (bytes / 1e6).toFixed(1));
        problems.push(`${file.name} has ${size} MB; the service takes ${most} MB. Cut or shrink it.`);
        continue;
      }
      const picture = await read(file);
      if (this.list !== list) return picture && URL.revokeObjectURL(picture.url); // they were replaced meanwhile
      if (picture) {
        this.chosen = this.list.push(picture) - 1;
        added += 1;
      } else problems.push(`${file.name} cannot be read. Choose a JPEG, PNG, WebP, BMP or GIF.`);
    }
    show(byId("query-problem"), problems.join(" "));
    if (added) announce(`${counted(added, "image")} added, ${this.list.length} in all.`);
    this.#draw();
    if (added) this.onChange();
    return undefined;
  }

  /** Ask with these files and no others. */
  async replace(files) {
    this.#forget();
    await this.add(files);
  }

  /** Put the images and their boxes into the body of a search. */
  fill(form) {
    const boxes = this.list.some(({ box }) => box);
    this.list.forEach(({ file, box }, number) => {
      form.append("images", file, `image-${number + 1}`); // the service need not know what a file is called here
      if (boxes) form.append("box", box ? [box.x, box.y, box.width, box.height].join(",") : "");
    });
  }

  #forget() {
    for (const { url } of this.list) URL.revokeObjectURL(url);
    this.list = [];
    this.chosen = 0;
  }

  #remove() {
    const [gone] = this.list.splice(this.chosen, 1);
    URL.revokeObjectURL(gone.url);
    this.chosen = Math.max(0, this.chosen - 1);
    this.#draw();
    announce(`Image removed, ${this.list.length} left.`);
    (this.list.length ? byId("remove") : byId("files")).focus();
    this.onChange();
  }

  #draw() {
    byId("editor").hidden = !this.list.length;
    byId("drop").classList.toggle("slim", this.list.length > 0);
    this.#strip();
    if (!this.list.length) {
      byId("preview").removeAttribute("src");
      if (byId("editor-dialog").open) byId("editor-dialog").close();
      return;
    }
    this.editor.show(this.list[this.chosen]);
  }

  /** The row of small images to choose from, where there are several. */
  #strip() {
    const strip = byId("strip");
    strip.hidden = this.list.length < 2;
    const held = strip.contains(document.activeElement);
    strip.replaceChildren(
      ...this.list.map(({ url, name, box }, number) =>
        element(
          "button",
          {
            type: "button",
            "aria-pressed": String(number === this.chosen),
            "aria-label": `Image ${number + 1} of ${this.list.length}, ${name}${box ? ", with a box" : ""}`,
            click: () => {
              this.chosen = number;
              this.#draw();
            },
          },
          element("img", { src: url, alt: "" }),
        ),
      ),
    );
    if (held) strip.children[this.chosen]?.focus();
  }

  /** Take what is dropped anywhere or pasted. */
  #receive() {
    const usable = (transfer) => byId("search-view").hidden === false && [...(transfer?.types ?? [])].includes("Files");
    const drop = byId("drop");
    document.addEventListener("dragover", (event) => {
      event.preventDefault(); // or the browser would open the file in place of the page
      if (usable(event.dataTransfer)) drop.classList.add("over");
    });
    document.addEventListener("dragleave", (event) => event.relatedTarget || drop.classList.remove("over"));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      if (usable(event.dataTransfer)) this.add([...event.dataTransfer.files]);
    });
    document.addEventListener("paste", (event) => {
      if (!usable(event.clipboardData)) return;
      event.preventDefault();
      this.add([...event.clipboardData.files]);
    });
  }

  /** The same editor in a large window, for frames with small people. */
  #enlarge() {
    const dialog = byId("editor-dialog");
    byId("enlarge").addEventListener("click", () => {
      byId("editor-large").append(byId("editor"));
      byId("enlarge").hidden = true;
      dialog.showModal();
    });
    byId("editor-done").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      byId("editor-home").append(byId("editor"));
      byId("enlarge").hidden = false;
      if (this.list.length) byId("enlarge").focus();
    });
  }
}

async function read(file) {
  const url = URL.createObjectURL(file);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return { file, url, name: file.name || "pasted image", width: image.naturalWidth, height: image.naturalHeight, box: null };
  } catch {
    URL.revokeObjectURL(url);
    return null;
  }
}
