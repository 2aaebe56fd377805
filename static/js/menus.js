// Places menus beside their button and moves through them with the arrow keys.

document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!menu.matches?.("[data-menu]") || event.newState !== "open") return;
  const button = document.querySelector(`[popovertarget="${menu.id}"]`);
  const box = button.getBoundingClientRect();
  const above = menu.dataset.menu === "above" || box.bottom + menu.offsetHeight > innerHeight - 8;
  const top = above ? box.top - menu.offsetHeight - 4 : box.bottom + 4;
  const left = Math.min(box.left, innerWidth - menu.offsetWidth - 8);
  menu.style.inset = `${Math.max(8, top)}px auto auto ${Math.max(8, left)}px`;
  items(menu)[0]?.focus();
}, true);

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("[data-menu]");
  if (!menu) return;
  const all = items(menu);
  const at = all.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  all.at(next % all.length).focus();
});

document.addEventListener("click", (event) => {
  event.target.closest?.("[data-menu] a, [data-menu] button:not(.button)")?.closest("[data-menu]").hidePopover();
});

function items(menu) {
  return [...menu.querySelectorAll("a, button")].filter((item) => item.checkVisibility());
}
