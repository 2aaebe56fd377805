// Adds what depends on the reader or the time, since the server sends the same HTML to everybody.

const person = document.body.dataset.person;
const UNFINISHED = ["queued", "running", "waiting"];
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

const messages = document.querySelector("#scroller .messages");

if (messages) {
  mark();
  new MutationObserver(mark).observe(messages, { childList: true });
  // A replaced message has lost its marks.
  document.addEventListener("htmx:after:swap", markMessages);
  setInterval(showTimes, MINUTE);
  setInterval(countThinking, 100);
}

function mark() {
  markMessages();
  showTimes();
}

// Runs with every part of an answer, so it looks at messages only, not inside them.
function markMessages() {
  let isAnswering = false;
  for (const message of messages.children) {
    const { state } = message.dataset;
    isAnswering ||= UNFINISHED.includes(state);
    markOwn(message);
    // A tool call inside the message may wait for this reader.
    if (state === "waiting") message.querySelectorAll("[data-author]").forEach(markOwn);
  }
  messages.closest(".conversation").toggleAttribute("data-answering", isAnswering);
}

function markOwn(element) {
  element.classList.toggle("own", element.dataset.author !== undefined && element.dataset.author === person);
}

function showTimes() {
  for (const time of messages.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    const words = ago(at, Date.now() - at);
    if (time.textContent !== words) time.textContent = words;
    if (!time.dataset.exact) time.title = time.dataset.exact = exact.format(at);
  }
}

function ago(at, age) {
  if (age < MINUTE) return relative.format(0, "second");
  if (age < 60 * MINUTE) return relative.format(-Math.floor(age / MINUTE), "minute");
  if (age < DAY) return hour.format(at);
  return date.format(at);
}

function countThinking() {
  for (const place of messages.querySelectorAll("[data-counting]")) {
    place.dataset.since ??= Date.now();
    const words = `Thinking for ${Math.round((Date.now() - place.dataset.since) / 1000)} s`;
    if (place.textContent !== words) place.textContent = words;
  }
}

// Morph a message that exists already, to keep open details and the focus.
document.addEventListener("htmx:before:swap", (event) => {
  for (const task of event.detail.tasks ?? []) {
    const fresh = task.swapSpec?.style === "upsert" && task.fragment.firstElementChild;
    const shown = fresh && document.getElementById(fresh.id);
    if (shown) Object.assign(task, { target: shown, swapSpec: { ...task.swapSpec, style: "outerMorph" } });
  }
});
