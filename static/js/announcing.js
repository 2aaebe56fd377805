// Tells screen readers when an answer begins and how it ends, in a region that is there all the time. The list of
// messages is silent: it would read an answer word by word.

const WORDS = {
  // Every answer is queued for a moment.
  queued: () => messages.querySelector(BUSY) && "The answer is queued: the previous one has to finish first",
  running: (name) => `${name} is answering`,
  complete: () => "Answer finished",
  stopped: () => "Answer stopped",
  failed: (_, message) => words(message.querySelector(".notice p")),
  interrupted: (_, message) => words(message.querySelector(".notice p")),
};
const BUSY = ':scope > :is([data-state="running"], [data-state="waiting"])';
const UNFINISHED = ["queued", "running", "waiting"];

const messages = document.querySelector("#scroller .messages");
const status = document.getElementById("answer-status");
const person = document.body.dataset.person;
const states = new Map();

if (messages && status) {
  document.addEventListener("DOMContentLoaded", () => {
    for (const { id, dataset } of messages.children) states.set(id, dataset.state);
    const running = messages.querySelector(':scope > [data-state="running"]');
    if (running) say([describe(running)]);
    new MutationObserver(listen).observe(messages, { childList: true });
    document.addEventListener("htmx:after:swap", listen);
  });
}

function listen() {
  const news = [];
  // From the end, where new messages are. Earlier ones, which scrolling up loads, are no news.
  let isNew = true;
  for (const message of [...messages.children].reverse()) {
    const { id, dataset } = message;
    const before = states.get(id);
    isNew &&= before === undefined;
    if (before === dataset.state) continue;
    states.set(id, dataset.state);
    if (isNew || UNFINISHED.includes(before)) news.unshift(describe(message));
  }
  say(news.filter(Boolean));
}

function describe(message) {
  const name = words(message.querySelector(".message-name"));
  const { role, author, state } = message.dataset;
  if (role === "user") return author === person ? "" : `New message from ${name}`;
  return WORDS[state]?.(name, message);
}

function words(element) {
  return element?.textContent.trim().replace(/\s+/g, " ") ?? "";
}

function say(news) {
  // A new node is announced even if it has the same words.
  if (news.length) status.replaceChildren(news.join(". "));
}
