// Copies a message as Markdown, a code block as text, or the text of any element by its id.

document.addEventListener("click", async (event) => {
  const message = event.target.closest("[data-copy]");
  const code = event.target.closest("[data-copy-code]");
  const text = event.target.closest("[data-copy-text]");
  const button = message ?? code ?? text;
  if (!button) return;
  try {
    await copy(message ? source(button.dataset.copy) : Promise.resolve(shown(button).textContent));
    tell(button, "Copied");
  } catch {
    tell(button, "Could not copy");
  }
});

function shown(button) {
  return document.getElementById(button.dataset.copyText) ?? button.closest(".code").querySelector("code");
}

async function source(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.text();
}

async function copy(text) {
  // A promise keeps the write part of the click, although the text arrives later.
  if (navigator.clipboard && window.ClipboardItem) {
    const blob = text.then((words) => new Blob([words], { type: "text/plain" }));
    return navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  }
  // Without TLS there is no clipboard API.
  const area = document.createElement("textarea");
  area.value = await text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("refused");
}

// Shows the result on the button: as its text, or as the name of an icon button.
function tell(button, words) {
  if (button.dataset.told) return;
  const name = button.getAttribute("aria-label");
  const say = (label) => (name === null ? (button.textContent = label) : button.setAttribute("aria-label", label));
  const before = name ?? button.textContent;
  button.dataset.told = words;
  say(words);
  setTimeout(() => {
    delete button.dataset.told;
    say(before);
  }, 1500);
}

document.addEventListener("click", (event) => {
  const wrap = event.target.closest("[data-wrap-code]");
  if (!wrap) return;
  const isWrapped = wrap.closest(".code").toggleAttribute("data-wrapped");
  wrap.setAttribute("aria-pressed", String(isWrapped));
});
