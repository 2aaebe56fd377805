// The sidebar: can be hidden on wide screens, and is a drawer on narrow ones.

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
  setDrawer(isOpen);
  focusToggle(!isOpen);
}

// While the drawer is open, the page behind it cannot be used.
function setDrawer(isOpen) {
  root.dataset.drawer = isOpen ? "open" : "closed";
  document.querySelector(".sidebar-scrim").hidden = !isOpen;
  for (const behind of document.querySelectorAll(".frame-page, .skip-link")) behind.inert = isOpen;
}

// A wide page has no drawer, and a page that the back button shows again has a closed one.
const closeDrawer = () => root.dataset.drawer === "open" && setDrawer(false);
narrow.addEventListener("change", closeDrawer);
addEventListener("pagehide", closeDrawer);

// The pressed button may be hidden now, so focus its counterpart.
function focusToggle(isClosed) {
  const place = isClosed ? ".page-head" : ".sidebar";
  document.querySelector(`${place} [data-sidebar-toggle]`)?.focus();
  for (const toggle of document.querySelectorAll("button[data-sidebar-toggle]")) toggle.setAttribute("aria-expanded", String(!isClosed));
}

// The server sends the same rows to everybody, so the open conversation is marked here.
const list = document.getElementById("conversations");
const open = document.querySelector("main[data-conversation]")?.dataset.conversation;

function markOpen() {
  list.querySelector(`#conversation-${open} .conversation-link:not([aria-current])`)?.setAttribute("aria-current", "page");
}

// scrollIntoView would make Tab start at this row, past the skip link.
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
