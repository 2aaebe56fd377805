// Brings the focus back to the composer, and what is typed outside a field into it.

const FIELD = "input, textarea, select, [contenteditable]";
const PRESSED_BY_SPACE = "a, button, summary, [tabindex='0']";

// On a touch screen, the focus would open the keyboard over the page.
const isTouch = matchMedia("(pointer: coarse)");

const composer = document.getElementById("message");
const pressed = new WeakSet(); // Requests of buttons that act on a message.

if (composer) {
  composer.setSelectionRange(composer.value.length, composer.value.length);
  returnFocus();
  // A page that scrolls to a message when it has loaded takes the focus away.
  addEventListener("pageshow", returnFocus);
  document.addEventListener("turn:sent", returnFocus);
  document.addEventListener("htmx:before:request", ({ target, detail }) => {
    if (target.closest("#stop, .message [hx-post]:not(.edit, .tool-call *)")) pressed.add(detail.ctx);
  });
  // The button that was pressed may be gone.
  document.addEventListener("htmx:after:request", ({ detail }) => pressed.has(detail.ctx) && returnFocus());
}

export function returnFocus() {
  const { activeElement } = document;
  if (!composer) return;
  const isTaken = isField(activeElement) || document.querySelector("dialog[open], :popover-open");
  if (!isTouch.matches && !isTaken) composer.focus({ preventScroll: true });
}

export function isField(element) {
  return element.closest(FIELD) !== null;
}

// The browser enters the key where the focus is after this event.
export function typeInComposer(event) {
  if (!composer?.checkVisibility() || isField(event.target) || !(isText(event) || isPaste(event))) return;
  if (event.key === " " && (event.target.closest(PRESSED_BY_SPACE) || !composer.value)) return;
  composer.focus();
}

// AltGr, which types characters such as "@" on many keyboards, counts as Ctrl and Alt on Windows.
function isText(event) {
  const hasModifier = (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");
  return [...event.key].length === 1 && !hasModifier;
}

function isPaste({ key, ctrlKey, metaKey, altKey }) {
  return key.toLowerCase() === "v" && ctrlKey !== metaKey && !altKey;
}
