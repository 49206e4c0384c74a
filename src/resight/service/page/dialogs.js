/** Questions that must be answered before something is written. */

import { byId, show } from "./dom.js";

/** Open a dialog with a form; what its field says when it is sent, or null if it is cancelled. `check` says what is wrong. */
function ask(dialog, field, problem, check) {
  const form = dialog.querySelector("form");
  show(problem, "");
  return new Promise((resolve) => {
    const ends = new AbortController();
    let answer = null;
    const on = (target, name, listener) => target.addEventListener(name, listener, { signal: ends.signal });
    on(form, "submit", (event) => {
      event.preventDefault();
      const wrong = check(field.value.trim());
      show(problem, wrong);
      field.setAttribute("aria-invalid", String(Boolean(wrong)));
      if (wrong) return field.focus();
      answer = field.value.trim();
      return dialog.close();
    });
    on(form.querySelector("[data-cancel]"), "click", () => dialog.close());
    on(dialog, "close", () => {
      ends.abort();
      field.removeAttribute("aria-invalid");
      resolve(answer);
    });
    dialog.showModal();
    field.select(); // what is suggested is typed over
  });
}

/** Whose sightings are confirmed and rejected; null if nobody was named. */
export function askName(suggested) {
  const field = byId("name");
  field.value = suggested;
  return ask(byId("name-dialog"), field, byId("name-problem"), (name) => (name ? "" : "Give a name or a number, or cancel."));
}

const ANOTHER = "All sightings of this person get it. If somebody has the name already, the two become one person.";

/** What a person is called from now on; null if nothing changes. `check` says what is wrong with a name. */
export function askNewName(name, { title = "Another name", what = ANOTHER, suggested = name, check = () => "" } = {}) {
  const field = byId("new-name");
  field.value = suggested;
  byId("rename-title").textContent = title;
  byId("rename-what").textContent = what;
  return ask(byId("rename-dialog"), field, byId("new-name-problem"), (given) =>
    given && given !== name ? check(given) : `Give ${name ? "another" : "a"} name, or cancel.`,
  );
}

/** Why sightings leave the gallery; null if they do not. */
export function askReason(what) {
  byId("export-what").textContent = what;
  const field = byId("reason");
  field.value = "";
  return ask(byId("export-dialog"), field, byId("reason-problem"), (reason) =>
    reason ? "" : "Give a reason: an export without one is refused.",
  );
}

/** Let the browser save a file. */
export function download({ blob, name }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the download holds it by then
}
