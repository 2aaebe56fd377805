// The message field: Enter sends, nothing that was typed is lost, an empty field offers Stop.

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.target.id !== "message") return;
  // Enter that ends an input method's composition chooses a word; Safari reports it by the key code alone.
  if (event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  // Disabled while the text is on its way, which after a first turn lasts until the new page is there.
  const isOnItsWay = event.target.form.querySelector(".composer-send").disabled;
  const hasFiles = event.target.form.querySelector(".draft");
  if ((event.target.value.trim() || hasFiles) && !isOnItsWay) event.target.form.requestSubmit();
});

const SIGNED_OUT = "You are signed out. Your text is still here and will be sent after you sign in.";
const FAILED = "The message could not be sent. Your text is still here. Try again in a moment.";
const GONE = "This conversation was deleted, or you are no longer a member. Your text is still here: copy it if you need it.";
const TOO_OLD = "This page is out of date. Your text is still here: copy it, then reload the page.";
const SOMEBODY_ELSE = "A different account is now signed in in this browser. Your text is still here: copy it, then reload the page.";
const NOT_KEPT = "You are signed out. Your text stays here. Sign in again to send it.";

document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowUp" || event.target.id !== "message" || event.target.value) return;
  const edit = [...document.querySelectorAll(".message.own .for-author[hx-get]")].at(-1);
  if (!edit) return;
  event.preventDefault();
  edit.click();
});

// The text stays in the field until the server has it.
let sent = "";

document.addEventListener("htmx:before:request", (event) => {
  if (event.target.id !== "composer") return;
  sent = field().value;
  say("");
});

document.addEventListener("htmx:after:request", (event) => {
  if (event.target.id !== "composer") return;
  const { status, headers } = event.detail.ctx.response;
  if (status === 401) return say(SIGNED_OUT);
  if (headers.has("X-CSRFToken")) return; // It comes again with a new token.
  // Not an answer to this form but a whole page: an old token refused, nothing to post to, or a fault of the server's.
  if (status === 403 || status === 404 || status >= 500) {
    event.preventDefault();
    return say({ 403: TOO_OLD, 404: GONE }[status] ?? FAILED);
  }
  if (status === 201 && field().value === sent) {
    field().value = "";
    grow(field());
  }
  if (status < 400) document.dispatchEvent(new CustomEvent("turn:sent"));
});

document.addEventListener("htmx:error", (event) => {
  if (event.target.id !== "composer") return;
  say("The server could not be reached. Your text is still here. Try again in a moment.");
});

// Typing is kept after a pause; who leaves before it is over is not to lose the last words.
let kept = field()?.value;
let keeping = kept;

document.addEventListener("htmx:before:request", (event) => {
  if (event.target.id === "message") keeping = field().value;
});

document.addEventListener("htmx:after:request", (event) => {
  if (event.target.id !== "message") return;
  const { status } = event.detail.ctx.response;
  if (status < 400) kept = keeping;
  note(status === 401 ? NOT_KEPT : "");
});

addEventListener("pagehide", keep);
document.addEventListener("token:renewed", keep);
document.addEventListener("token:refused", () => say(TOO_OLD));
document.addEventListener("person:changed", () => say(SOMEBODY_ELSE));

function keep() {
  const typed = field();
  if (!typed || typed.value === kept) return;
  kept = typed.value;
  fetch(typed.getAttribute("hx-post"), { method: "POST", body: new FormData(typed.form), keepalive: true }).catch(() => {});
}

// Said once, beside what one is typing: nothing is lost, and nothing has to be done.
function note(words) {
  const place = document.getElementById("composer-note");
  if (place.textContent !== words) place.textContent = words;
}

// Where field-sizing is not known yet, the field grows by script.
function grow(textarea) {
  if (CSS.supports("field-sizing", "content")) return;
  textarea.style.blockSize = "auto";
  textarea.style.blockSize = `${textarea.scrollHeight}px`;
}

document.addEventListener("input", (event) => {
  if (event.target.id === "message") grow(event.target);
});

function field() {
  return document.getElementById("message");
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
