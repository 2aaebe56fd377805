// Finds a conversation by the words of its title, from any page.

const finder = document.getElementById("finder");
const input = finder?.querySelector("input");

export function showFinder() {
  if (!finder) return;
  finder.showModal();
  input.select();
  input.dispatchEvent(new CustomEvent("finder:open"));
}

finder?.addEventListener("keydown", (event) => {
  const links = [...finder.querySelectorAll(".found a")];
  if (event.isComposing || !links.length) return;
  const at = links.indexOf(document.activeElement);
  if (event.key === "Enter" && at < 0) links[0].click();
  else if (event.key === "ArrowDown") links[Math.min(at + 1, links.length - 1)].focus();
  else if (event.key === "ArrowUp") (links[at - 1] ?? input).focus();
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-find]")) showFinder();
});
