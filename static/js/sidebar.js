// The conversations at the side: hidden on a wide screen when one likes, a drawer on a narrow one.

const root = document.documentElement;
const narrow = matchMedia("(width < 48rem)");

if (localStorage.getItem("sidebar") === "closed") root.dataset.sidebar = "closed";

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-sidebar-toggle]")) return;
  if (narrow.matches) toggleDrawer();
  else {
    const isClosed = root.dataset.sidebar !== "closed";
    if (isClosed) root.dataset.sidebar = "closed";
    else delete root.dataset.sidebar;
    localStorage.setItem("sidebar", isClosed ? "closed" : "open");
    focusToggle(isClosed);
  }
});

function toggleDrawer() {
  const isOpen = root.dataset.drawer !== "open";
  root.dataset.drawer = isOpen ? "open" : "closed";
  document.querySelector(".sidebar-scrim").hidden = !isOpen;
  focusToggle(!isOpen);
}

// The button that was pressed may be gone: its twin on the other side takes the focus.
function focusToggle(isClosed) {
  const place = isClosed ? ".page-head" : ".sidebar";
  document.querySelector(`${place} [data-sidebar-toggle]`)?.focus();
  for (const toggle of document.querySelectorAll("button[data-sidebar-toggle]")) toggle.setAttribute("aria-expanded", String(!isClosed));
}

// Rows come from the server the same for everybody; which one is open here is known here.
const list = document.getElementById("conversations");
const open = document.querySelector("main[data-conversation]")?.dataset.conversation;

function markOpen() {
  list.querySelector(`#conversation-${open} .conversation-link:not([aria-current])`)?.setAttribute("aria-current", "page");
}

// Not by scrollIntoView: browsers then begin at that row when somebody presses Tab, past the skip link.
function showOpen() {
  const row = list.querySelector('[aria-current="page"]')?.getBoundingClientRect();
  if (!row) return;
  const frame = list.getBoundingClientRect();
  if (row.top < frame.top || row.bottom > frame.bottom) list.scrollTop += row.top - frame.top;
}

if (list && open) {
  new MutationObserver(markOpen).observe(list, { childList: true, subtree: true, attributeFilter: ["aria-current"] });
  showOpen();
}
