// A tool that waits for this person: told to who does not see it, and the keyboard stays where it was.

const messages = document.querySelector("#scroller .messages");
const status = document.getElementById("tools-asking");

// The card that has the focus within its question. Once it is answered the question goes, and with it the focus.
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
  // Only a message that waits asks: an answer that grows is not looked through each time.
  const waiting = [...messages.children].filter((message) => message.dataset.state === "waiting");
  const asks = waiting.flatMap((message) => [...message.querySelectorAll(`.tool-ask[data-author="${person}"]`)]);
  const names = asks.map((ask) => ask.dataset.tool);
  const words = names.length ? `${new Intl.ListFormat("en").format(names)}: your permission is needed.` : "";
  if (status.textContent !== words) status.textContent = words;
}

function keepFocus() {
  if (!held || document.activeElement !== document.body) return;
  const card = document.getElementById(held);
  // Not on a button: a second press of the key must not answer what was not read yet.
  const next = card?.closest(".message").querySelector(".tool-ask.own") ?? card?.querySelector("summary");
  next?.focus();
}
