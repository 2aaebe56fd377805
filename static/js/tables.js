// A growing table arrives in parts. Each part takes over the column widths of the part before.

const messages = document.querySelector("#scroller .messages");

if (messages) {
  const withParts = new WeakSet();

  document.addEventListener("htmx:before:swap", ({ detail }) => {
    if (detail.tasks?.some(({ fragment }) => fragment?.querySelector(".rows"))) withParts.add(detail.ctx);
  });
  document.addEventListener("htmx:after:swap", ({ detail }) => {
    if (withParts.has(detail.ctx)) messages.querySelectorAll(".rows:not([style])").forEach(takeColumns);
  });

  let width = 0;
  new ResizeObserver(() => {
    if (messages.clientWidth === width) return;
    width = messages.clientWidth;
    messages.querySelectorAll(".rows").forEach(takeColumns);
  }).observe(messages);
}

function takeColumns(part) {
  const before = part.previousElementSibling;
  const widths = [before, ...before.rows[0].cells].map((box) => `${box.getBoundingClientRect().width}px`);
  [part, ...part.querySelectorAll("col")].forEach((box, at) => { box.style.inlineSize = widths[at]; });
}
