// Opens #dialog when it gets content. Cancel, Esc, a click outside or an event from the server closes it.

const dialog = document.getElementById("dialog");

document.addEventListener("htmx:after:swap", () => {
  if (dialog.childElementCount && !dialog.open) dialog.showModal();
});

document.addEventListener("dialog:close", () => dialog.close());

dialog.addEventListener("close", () => dialog.replaceChildren());

document.addEventListener("click", (event) => {
  const open = event.target.closest("dialog[open]");
  if (!open) return;
  if (event.target.closest("[data-close]") || isOutside(event, open)) {
    event.preventDefault();
    open.close();
  }
});

function isOutside(event, open) {
  if (event.target !== open) return false;
  const box = open.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}
