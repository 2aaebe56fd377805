// An image of the conversation in full: Esc closes, the arrows go to the others, the focus returns to where it was.

const view = document.getElementById("image-view");

if (view) {
  const image = view.querySelector("img");
  let shown = null;

  const all = () => [...document.querySelectorAll(".messages [data-image]")];

  const show = (link) => {
    shown = link;
    const images = all();
    const thumbnail = link.querySelector("img");
    // The thumbnail stands in until the image is there.
    image.src = thumbnail.currentSrc || thumbnail.src;
    image.alt = thumbnail.alt;
    const full = new Image();
    full.addEventListener("load", () => { if (shown === link) image.src = full.src; });
    full.src = link.href;
    view.querySelector(".image-view-name").textContent = thumbnail.alt;
    view.querySelector(".image-view-place").textContent = images.length > 1 ? `${images.indexOf(link) + 1} of ${images.length}` : "";
    Object.assign(view.querySelector("[download]"), { href: link.href, download: thumbnail.alt });
    for (const button of view.querySelectorAll("[data-step]")) button.disabled = !neighbour(Number(button.dataset.step));
  };

  const neighbour = (step) => all()[all().indexOf(shown) + step];

  const go = (step) => {
    const link = neighbour(step);
    if (link) show(link);
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-image]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(link);
    view.showModal();
  });

  view.addEventListener("click", (event) => {
    const button = event.target.closest("[data-step]");
    if (button) go(Number(button.dataset.step));
  });

  view.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    go(step);
  });

  view.addEventListener("close", () => {
    image.removeAttribute("src");
    // To the image that was looked at last, wherever one began.
    if (shown?.isConnected) shown.focus();
    shown = null;
  });
}
