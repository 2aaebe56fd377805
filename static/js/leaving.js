// The browser asks before a page is left with changes in a dialog or in a message that is being edited.
import { isChanged } from "./changes.js";

// Forms whose content has been sent, or may be lost.
const settled = new WeakSet();

export function settle(form) { settled.add(form); }

document.addEventListener("submit", ({ target }) => settle(target), true);
document.addEventListener("input", ({ target }) => settled.delete(target.form));

addEventListener("beforeunload", (event) => {
  const open = [...document.querySelectorAll(".edit, dialog[open] form")];
  if (open.some((form) => !settled.has(form) && isChanged(form))) event.preventDefault();
});
