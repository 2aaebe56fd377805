// Editing a message in its place. Cancel or Esc restores the message, and asks first if its text was changed.
import { isChanged } from "./changes.js";
import { askToDiscard } from "./discarding.js";
import { settle } from "./leaving.js";

const restorable = new WeakMap();

document.addEventListener("htmx:before:request", (event) => {
  const edit = event.target.closest?.(".message-actions .for-author[hx-get]");
  if (!edit) return;
  const body = edit.closest(".message").querySelector(".message-body");
  const open = body.querySelector(".edit textarea");
  if (open) {
    // The message is being edited already: another form would replace the changes.
    event.preventDefault();
    open.focus();
  } else restorable.set(body, [...body.childNodes]);
});

document.addEventListener("click", (event) => {
  const cancel = event.target.closest("[data-cancel-edit]");
  if (!cancel) return;
  event.preventDefault();
  const form = cancel.closest(".edit");
  if (isChanged(form)) askToDiscard(() => restore(cancel), form.querySelector("textarea"));
  else restore(cancel);
});

function restore(cancel) {
  const body = document.getElementById(`m${cancel.dataset.cancelEdit}-body`);
  // A page that shows the form alone has no message to restore.
  if (!body) {
    settle(cancel.closest(".edit"));
    return location.assign(cancel.href);
  }
  body.replaceChildren(...restorable.get(body) ?? []);
  restorable.delete(body);
  body.closest(".message").querySelector(".for-author")?.focus();
}
