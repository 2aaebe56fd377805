// Copying: a message as the Markdown it was written in, a code block as its text, anything else by its id.

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
  // Given as a promise, so that the browser counts it to the click even when the text comes later.
  if (navigator.clipboard && window.ClipboardItem) {
    const blob = text.then((words) => new Blob([words], { type: "text/plain" }));
    return navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  }
  // An intranet without TLS has no clipboard interface.
  const area = document.createElement("textarea");
  area.value = await text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("refused");
}

// Said where the eye is: in a button of words as its word, in a button with an icon as its name.
function tell(button, words) {
  if (button.dataset.told) return;
  const name = button.getAttribute("aria-label");
  const say = (said) => (name === null ? (button.textContent = said) : button.setAttribute("aria-label", said));
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
