// Renews an ended session or token without leaving the page, then repeats the interrupted request.

const USER_EVENTS = ["submit", "click", "change"];

let interrupted = null;
const renewals = new WeakMap();

// Of one request. Several requests that find their token too old at the same time get a new one each, of which one holds.
export const MOST_RENEWALS = 3;

document.addEventListener("htmx:after:request", (event) => {
  const { response, sourceElement } = event.detail.ctx;
  if (response.status === 401) askForPassword(event);
  else if (response.headers.has("X-CSRFToken")) sendAgain(event);
  else renewals.delete(sourceElement);
});

function askForPassword(event) {
  const { sourceElement, sourceEvent } = event.detail.ctx;
  if (sourceElement.id === "composer") interrupted = sourceElement;
  // Requests that the page makes by itself, such as saving the text, do not ask for the password.
  const isByUser = USER_EVENTS.includes(sourceEvent?.type);
  // The form may be half filled in.
  const isThere = document.querySelector("#dialog[open] [name=password]");
  if (!isByUser || isThere) event.preventDefault();
}

// The token was too old. The answer carries a new one.
function sendAgain(event) {
  const { response, request, sourceElement } = event.detail.ctx;
  event.preventDefault();
  if (!renew((name) => response.headers.get(name))) return;
  // In a browser that blocks cookies, every token is refused.
  const count = renewals.get(sourceElement) ?? 0;
  if (count === MOST_RENEWALS) return document.dispatchEvent(new CustomEvent("token:refused"));
  renewals.set(sourceElement, count + 1);
  // After htmx has finished the failed request.
  setTimeout(() => {
    if (sourceElement.matches("form")) sourceElement.requestSubmit(request.submitter);
    else if (sourceElement.matches("a, button")) sourceElement.click();
  });
}

// Takes a new token from the headers. Returns false for another person, who must not send this text.
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
