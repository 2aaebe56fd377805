// Shows an image in full. Esc closes it, the arrow keys go to the others, and the focus returns.

const view = document.getElementById("image-view");

if (view) {
  const image = view.querySelector("img");
  // The address, because an update may replace the element.
  let shown = "";

  const all = () => [...document.querySelectorAll(".messages [data-image]")];
  const place = () => all().findIndex((link) => link.href === shown);

  const show = (link) => {
    shown = link.href;
    const images = all();
    const thumbnail = link.querySelector("img");
    // Show the thumbnail until the image is loaded.
    image.src = thumbnail.src;
    image.alt = thumbnail.alt;
    const full = new Image();
    full.addEventListener("load", () => { if (shown === full.src) image.src = full.src; });
    full.src = shown;
    view.querySelector(".image-view-name").textContent = thumbnail.alt;
    view.querySelector(".image-view-place").textContent = images.length > 1 ? `${place() + 1} of ${images.length}` : "";
    Object.assign(view.querySelector("[download]"), { href: shown, download: thumbnail.alt });
    for (const button of view.querySelectorAll("[data-step]")) button.disabled = !images[place() + Number(button.dataset.step)];
    // A button that becomes disabled would lose the focus to the page behind the dialog.
    if (!view.contains(document.activeElement) || document.activeElement.disabled) view.querySelector("[data-close]").focus();
  };

  const go = (step) => {
    const link = all()[place() + step];
    if (link) show(link);
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-image]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    view.showModal();
    show(link);
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
    // Focus the last image shown, not the first.
    all()[place()]?.focus();
    shown = "";
    image.removeAttribute("src");
  });
}
