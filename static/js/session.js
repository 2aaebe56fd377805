// A session or a token that ended: another one is got in place, and what was interrupted goes on.

const BY_A_PERSON = ["submit", "click", "change"];

let interrupted = null;
const sentAgain = new WeakSet();

document.addEventListener("htmx:after:request", (event) => {
  const { response, sourceElement } = event.detail.ctx;
  if (response.status === 401) askForPassword(event);
  else if (response.headers.has("X-CSRFToken")) sendAgain(event);
  else sentAgain.delete(sourceElement);
});

function askForPassword(event) {
  const { sourceElement, sourceEvent } = event.detail.ctx;
  if (sourceElement.id === "composer") interrupted = sourceElement;
  // What the page does by itself, such as keeping what is typed, interrupts nobody.
  const isAsked = BY_A_PERSON.includes(sourceEvent?.type);
  // The form stands there already, perhaps half filled in.
  const isThere = document.querySelector("#dialog[open] [name=password]");
  if (!isAsked || isThere) event.preventDefault();
}

// The token was an old one; the answer, a whole page otherwise, has the new one.
function sendAgain(event) {
  const { response, request, sourceElement } = event.detail.ctx;
  event.preventDefault();
  if (!renew((name) => response.headers.get(name))) return;
  // A browser that refuses cookies has every token refused.
  if (sentAgain.has(sourceElement)) return document.dispatchEvent(new CustomEvent("token:refused"));
  sentAgain.add(sourceElement);
  // Not before htmx is done with the request that failed.
  setTimeout(() => {
    if (sourceElement.matches("form")) sourceElement.requestSubmit(request.submitter);
    else if (sourceElement.matches("a, button")) sourceElement.click();
  });
}

// Returns whether the page can go on. What one person typed is not sent in the name of another.
export function renew(header) {
  const token = header("X-CSRFToken");
  const person = header("X-Person");
  if (!token) return false;
  if (person && person !== document.body.dataset.person) {
    document.dispatchEvent(new CustomEvent("person:changed"));
    return false;
  }
  put(token);
  document.dispatchEvent(new CustomEvent("token:renewed"));
  return true;
}

function put(token) {
  document.body.setAttribute("hx-headers:inherited", JSON.stringify({ "X-CSRFToken": token }));
  for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = token;
}

document.addEventListener("session:renewed", async (event) => {
  const { token } = event.detail;
  put(token);
  document.getElementById("dialog").close();
  const composer = document.getElementById("composer");
  if (interrupted) {
    document.addEventListener("turn:sent", () => location.reload(), { once: true });
    composer.requestSubmit();
  } else if (composer) {
    await fetch(document.getElementById("message").getAttribute("hx-post"), {
      method: "POST",
      headers: { "X-CSRFToken": token },
      body: new FormData(composer),
    });
    location.reload();
  } else location.reload();
});
