// The message field: Enter sends, and no text is lost.

// The keyboard of a touch screen has no Shift+Enter, so there, Enter starts a line. With Ctrl or Command it sends.
const isTouch = matchMedia("(pointer: coarse)");

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.target.id !== "message") return;
  if (isTouch.matches && !event.ctrlKey && !event.metaKey) return;
  // Enter also ends the composition of an input method; Safari reports that by key code only.
  if (event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  // The button is disabled while a message is sent; after the first one, until the new page is loaded.
  const isSending = event.target.form.querySelector(".composer-send").disabled;
  const hasFiles = event.target.form.querySelector(".draft");
  if ((event.target.value.trim() || hasFiles) && !isSending) event.target.form.requestSubmit();
});

const SIGNED_OUT = "You are signed out. Your text is still here and will be sent after you sign in.";
const FAILED = "The message could not be sent. Your text is still here. Try again in a moment.";
const BUSY = "The site is busy. Your message will be sent again in a moment.";
const GONE = "This conversation was deleted, or you are no longer a member. Your text is still here: copy it if you need it.";
const OUT_OF_DATE = "This page is out of date. Your text is still here: copy it, then reload the page.";
const OTHER_ACCOUNT = "A different account is now signed in in this browser. Your text is still here: copy it, then reload the page.";
const UNREACHABLE = "The server could not be reached. Your text is still here. Try again in a moment.";
const NOT_SAVED = "You are signed out. Your text stays here. Sign in again to send it.";

document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowUp" || event.target.id !== "message" || event.target.value) return;
  const edit = [...document.querySelectorAll(".message.own .for-author[hx-get]")].at(-1);
  if (!edit) return;
  event.preventDefault();
  edit.click();
});

// The text stays in the field until the server has accepted it.
let sent = "";

// A site that is busy has posted nothing, or posts nothing more: the turn keeps its key.
const MOST_ATTEMPTS = 5;
let attempts = 0;

document.addEventListener("htmx:before:request", (event) => {
  if (event.target.id !== "composer") return;
  if (field().value !== sent) attempts = 0;
  sent = field().value;
  say("");
});

document.addEventListener("htmx:after:request", (event) => {
  if (event.target.id !== "composer") return;
  const { status, headers } = event.detail.ctx.response;
  if (status === 401) return say(SIGNED_OUT);
  if (headers.has("X-CSRFToken")) return; // session.js sends it again with the new token.
  if (status === 503 && ++attempts < MOST_ATTEMPTS) {
    event.preventDefault();
    setTimeout(sendAgain, secondsToWait(headers) * 1000);
    return say(BUSY);
  }
  attempts = 0;
  // These answers are whole pages: the token is refused, the conversation is missing, or the server failed.
  if (status === 403 || status === 404 || status >= 500) {
    event.preventDefault();
    return say({ 403: OUT_OF_DATE, 404: GONE }[status] ?? `${FAILED} ${nameReference(headers.get("X-Request-Id"))}`);
  }
  if (status === 201 && field().value === sent) {
    field().value = "";
    grow(field());
  }
  if (status < 400) document.dispatchEvent(new CustomEvent("turn:sent"));
});

// Unless the person has sent it or is changing the text.
function sendAgain() {
  if (attempts && field().value === sent) return field().form.requestSubmit();
  attempts = 0;
  say("");
}

// By which an administrator finds the error.
export function nameReference(reference) {
  return reference ? `Reference: ${reference}` : "";
}

export function secondsToWait(headers) {
  return Number(headers.get("Retry-After")) || 2;
}

// The requests that began since the server was unreachable.
let later = new WeakSet();

document.addEventListener("htmx:error", (event) => {
  if (event.target.id !== "composer") return;
  later = new WeakSet();
  say(UNREACHABLE);
});

// The server answers again, to one of these requests or to the socket.
document.addEventListener("server:reached", () => isSaying(UNREACHABLE) && say(""));
document.addEventListener("htmx:before:request", (event) => later.add(event.detail.ctx));
document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  if (ctx.response && later.has(ctx) && isSaying(UNREACHABLE)) say("");
});

// The text is saved after a pause in typing, and when the page is left before that.
let saved = field()?.value;
let saving = saved;

document.addEventListener("htmx:before:request", (event) => {
  if (event.target.id === "message") saving = field().value;
});

document.addEventListener("htmx:after:request", (event) => {
  if (event.target.id !== "message") return;
  const { status, headers } = event.detail.ctx.response;
  if (status < 400) saved = saving;
  if (status === 503) {
    event.preventDefault();
    setTimeout(save, secondsToWait(headers) * 1000);
  }
  note(status === 401 ? NOT_SAVED : "");
});

addEventListener("pagehide", save);
document.addEventListener("token:renewed", save);
document.addEventListener("token:refused", () => say(OUT_OF_DATE));
document.addEventListener("person:changed", () => say(OTHER_ACCOUNT));

function save() {
  const typed = field();
  if (!typed || typed.value === saved) return;
  const text = typed.value;
  saved = text;
  fetch(typed.getAttribute("hx-post"), { method: "POST", body: new FormData(typed.form), keepalive: true })
    .then(({ status, headers }) => {
      if (status !== 503 || saved !== text) return;
      saved = null;
      setTimeout(save, secondsToWait(headers) * 1000);
    })
    .catch(() => {});
}

// A quiet note that asks for nothing. Screen readers announce it once.
function note(words) {
  const place = document.getElementById("composer-note");
  if (place.textContent !== words) place.textContent = words;
}

function labelEnter() {
  field()?.setAttribute("enterkeyhint", isTouch.matches ? "enter" : "send");
}

labelEnter();
isTouch.addEventListener("change", labelEnter);

// For browsers without field-sizing.
function grow(textarea) {
  if (CSS.supports("field-sizing", "content")) return;
  textarea.style.blockSize = "auto";
  textarea.style.blockSize = `${textarea.scrollHeight}px`;
}

// The placeholder names the model that answers.
const models = document.getElementById("model");
let modelName = models?.selectedOptions[0]?.text;

models?.addEventListener("change", () => {
  const chosen = models.selectedOptions[0].text;
  field().placeholder = field().placeholder.replace(modelName, () => chosen);
  modelName = chosen;
});

document.addEventListener("input", (event) => {
  if (event.target.id === "message") grow(event.target);
});

function field() {
  return document.getElementById("message");
}

function isSaying(words) {
  return document.getElementById("composer-errors")?.textContent === words;
}

export function say(words) {
  const place = document.getElementById("composer-errors");
  if (!place) return;
  place.replaceChildren();
  if (!words) return;
  const line = document.createElement("p");
  line.className = "field-error";
  line.textContent = words;
  place.append(line);
}
