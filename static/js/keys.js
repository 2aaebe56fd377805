// Keyboard shortcuts. Ctrl+/ lists them.
import { isChanged } from "./changes.js";
import { showFinder } from "./finder.js";
import { isField, returnFocus, typeInComposer } from "./focus.js";

const shortcuts = document.getElementById("shortcuts");
const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
const singleKeys = document.getElementById("single-keys");

const WITH_CTRL = {
  "/": showHelp,
  b: toggleSidebar,
  k: showFinder,
  "shift o": beginConversation,
};

const SINGLE = {
  "?": showHelp,
  b: toggleSidebar,
  n: beginConversation,
};

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented) return;
  if (event.key === "Escape") return escape(event);
  if (event.key === " " && event.target.matches('a[role="button"]')) return press(event);
  if (document.querySelector("dialog[open], :popover-open")) return;
  if (event.key === "End" && !isField(event.target)) return act(event, showEnd);
  const shortcut = isWithCtrl(event) ? WITH_CTRL[nameOf(event)] : findSingle(event);
  if (shortcut) act(event, shortcut);
  else typeInComposer(event);
});

function act(event, shortcut) {
  event.preventDefault();
  shortcut();
}

// On a Mac, Ctrl with a letter edits text.
function isWithCtrl({ ctrlKey, metaKey, altKey }) {
  return (isMac ? metaKey : ctrlKey) && ctrlKey !== metaKey && !altKey;
}

// Letters of another script are named by their place on the keyboard.
function nameOf({ key, code, shiftKey }) {
  if (key === "/") return key;
  const letter = /^[a-z]$/i.test(key) ? key : code.replace("Key", "");
  return (shiftKey ? "shift " : "") + letter.toLowerCase();
}

// On pages with a composer, letters are text: one that begins a sentence must not leave the page.
function findSingle(event) {
  const isText = event.ctrlKey || event.metaKey || event.altKey || isField(event.target) || hasUnsentWords();
  if (isText || singleKeys?.checked === false) return null;
  return event.key === "?" || !document.getElementById("message") ? SINGLE[event.key] : null;
}

function hasUnsentWords() {
  const forms = [...document.querySelectorAll("form:not(#composer, .single-keys)")];
  return document.getElementById("message")?.value || document.querySelector(".draft, .edit") || forms.some(isChanged);
}

function showHelp() {
  shortcuts.showModal();
}

function beginConversation() {
  document.querySelector("[data-new]")?.click();
}

function toggleSidebar() {
  document.querySelector("[data-sidebar-toggle]")?.click();
}

function showEnd() {
  document.dispatchEvent(new CustomEvent("view:end"));
}

function escape(event) {
  if (event.target.matches(".title-field")) return restoreTitle(event.target);
  const cancel = event.target.closest(".edit")?.querySelector("[data-cancel-edit]");
  // The browser would close the question that this may open.
  if (cancel) return act(event, () => cancel.click());
  if (document.querySelector("dialog[open], :popover-open")) return;
  if (document.documentElement.dataset.drawer === "open") toggleSidebar();
  else if (document.querySelector('.message:is([data-state="running"], [data-state="queued"], [data-state="waiting"])')) document.getElementById("stop")?.requestSubmit();
}

function restoreTitle(title) {
  title.value = title.defaultValue;
  title.blur();
  returnFocus();
}

// Links with the role of a button react to the space bar.
function press(event) {
  event.preventDefault();
  event.target.click();
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-help]")) showHelp();
});

if (isMac) {
  for (const key of document.querySelectorAll("[data-command]")) key.textContent = "⌘";
}
