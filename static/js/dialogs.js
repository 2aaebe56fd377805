// Opens #dialog when it gets content. Cancel, Esc, a click outside or an event from the server closes it.
import { isChanged } from "./changes.js";
import { askToDiscard } from "./discarding.js";

const dialog = document.getElementById("dialog");

let pressedOutside = null;
let focused = null; // Before the pointer went down outside.

document.addEventListener("htmx:after:swap", () => {
  if (dialog.childElementCount && !dialog.open) dialog.showModal();
});

document.addEventListener("dialog:close", () => dialog.close());

dialog.addEventListener("close", () => dialog.replaceChildren());

// A pointer that goes down inside selects text or moves the page, wherever it goes up.
document.addEventListener("pointerdown", (event) => {
  pressedOutside = isOutside(event) ? event.target : null;
  focused = document.activeElement;
});

document.addEventListener("click", (event) => {
  const open = event.target.closest("dialog[open]");
  if (!open) return;
  if (event.target.closest("[data-close]")) {
    event.preventDefault();
    open.close();
  } else if (event.target === pressedOutside && isOutside(event)) leave(open, focused);
});

// Before the browser sees it: it would close the dialog at the second press, whatever the page says.
document.addEventListener("keydown", (event) => {
  const open = event.target.closest?.("dialog[open]");
  if (event.key !== "Escape" || event.isComposing || !open || open.querySelector(":popover-open") || !hasChanges(open)) return;
  event.preventDefault();
  leave(open);
});

// The back gesture of a phone.
document.addEventListener("cancel", (event) => {
  if (!event.target.matches?.("dialog") || !hasChanges(event.target)) return;
  event.preventDefault();
  leave(event.target);
}, true);

function leave(open, field = document.activeElement) {
  if (hasChanges(open)) askToDiscard(() => open.close(), field);
  else open.close();
}

// What the server has refused is in the fields as if it were saved.
function hasChanges(open) {
  return open === dialog && (isChanged(open) || open.querySelector('[aria-invalid="true"], .errorlist') !== null);
}

function isOutside({ target, clientX, clientY }) {
  if (!target.matches?.("dialog[open]")) return false;
  const box = target.getBoundingClientRect();
  return clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
}
