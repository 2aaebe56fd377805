// Keyboard shortcuts. "?" lists them.

const shortcuts = document.getElementById("shortcuts");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return escape(event);
  if (event.key === " " && event.target.matches('a[role="button"]')) return press(event);
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const act = ACTIONS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

const ACTIONS = {
  "?": () => shortcuts.showModal(),
  n: () => document.querySelector("[data-new]")?.click(),
  c: () => document.getElementById("message")?.focus(),
  b: () => document.querySelector("[data-sidebar-toggle]")?.click(),
  End: () => document.dispatchEvent(new CustomEvent("view:end")),
};

function escape(event) {
  const cancel = event.target.closest(".edit")?.querySelector("[data-cancel-edit]");
  if (cancel && !event.isComposing) return cancel.click();
  if (document.querySelector("dialog[open], :popover-open") || event.isComposing) return;
  if (document.documentElement.dataset.drawer === "open") document.querySelector("[data-sidebar-toggle]").click();
  else if (document.querySelector('.message:is([data-state="running"], [data-state="queued"], [data-state="waiting"])')) document.getElementById("stop")?.requestSubmit();
}

// Links with the role of a button react to the space bar.
function press(event) {
  event.preventDefault();
  event.target.click();
}

function isTyping(element) {
  return element.closest("input, textarea, select, [contenteditable]") !== null;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-help]")) shortcuts.showModal();
});
