// A toast offers its way back for a while, then goes; it stays while somebody is on it.

const STAYS = 10_000;
const place = document.getElementById("toasts");

new MutationObserver((changes) => {
  for (const change of changes) {
    for (const toast of change.addedNodes) if (toast.nodeType === Node.ELEMENT_NODE) letGo(toast);
  }
}).observe(place, { childList: true });

for (const toast of document.querySelectorAll(".toast")) letGo(toast);

function letGo(toast) {
  setTimeout(() => (toast.matches(":hover, :focus-within") ? letGo(toast) : toast.remove()), STAYS);
}

document.addEventListener("htmx:after:request", (event) => {
  if (event.target.matches?.("[data-undo]")) event.target.closest(".toast")?.remove();
});
