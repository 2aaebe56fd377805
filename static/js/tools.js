// Announces tool calls that wait for this person to screen readers, and keeps the keyboard focus.

const messages = document.querySelector("#scroller .messages");
const status = document.getElementById("tools-asking");

// The card whose question has the focus, which goes with the question once it is answered.
let held = null;

if (messages && status) {
  announce();
  document.addEventListener("htmx:after:swap", () => {
    announce();
    keepFocus();
  });
  document.addEventListener("focusin", (event) => {
    held = event.target.closest(".tool-ask")?.closest(".tool-call").id ?? null;
  });
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest(".tool-ask")) held = null;
  });
}

function announce() {
  const person = document.body.dataset.person;
  // Skip messages that do not wait: this runs with every part of an answer.
  const waiting = [...messages.children].filter((message) => message.dataset.state === "waiting");
  const asks = waiting.flatMap((message) => [...message.querySelectorAll(`.tool-ask[data-author="${person}"]`)]);
  const names = asks.map((ask) => ask.dataset.tool);
  const words = names.length ? `${new Intl.ListFormat("en").format(names)}: your permission is needed.` : "";
  if (status.textContent !== words) status.textContent = words;
}

function keepFocus() {
  if (!held || document.activeElement !== document.body) return;
  const card = document.getElementById(held);
  // Not on a button: a second key press must not answer an unread question.
  const next = card?.closest(".message").querySelector(".tool-ask.own") ?? card?.querySelector("summary");
  next?.focus();
}
