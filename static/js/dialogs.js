// Dialogs: what arrives in #dialog opens it; Cancel, Esc, a click beside it or the server's word closes it.

const dialog = document.getElementById("dialog");

document.addEventListener("htmx:after:swap", () => {
  if (dialog.childElementCount && !dialog.open) dialog.showModal();
});

document.addEventListener("dialog:close", () => dialog.close());

dialog.addEventListener("close", () => dialog.replaceChildren());

document.addEventListener("click", (event) => {
  const open = event.target.closest("dialog[open]");
  if (!open) return;
  if (event.target.closest("[data-close]") || isBeside(event, open)) {
    event.preventDefault();
    open.close();
  }
});

function isBeside(event, open) {
  if (event.target !== open) return false;
  const box = open.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}
