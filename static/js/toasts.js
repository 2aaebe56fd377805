// Removes a toast after a while, but not while it is hovered or focused.

const STAYS = 10_000;
const place = document.getElementById("toasts");

new MutationObserver((changes) => {
  for (const change of changes) {
    for (const toast of change.addedNodes) if (toast.nodeType === Node.ELEMENT_NODE) removeLater(toast);
  }
}).observe(place, { childList: true });

for (const toast of document.querySelectorAll(".toast")) removeLater(toast);

function removeLater(toast) {
  setTimeout(() => (toast.matches(":hover, :focus-within") ? removeLater(toast) : toast.remove()), STAYS);
}

document.addEventListener("htmx:after:request", (event) => {
  if (event.target.matches?.("[data-undo]")) event.target.closest(".toast")?.remove();
});
