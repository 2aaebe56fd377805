// Copies a message as Markdown, a code block as text, or the text of any element by its id, and formulas as LaTeX.

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

// A selection that holds formulas is copied with their LaTeX, which is what other programs understand.
document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return;
  const range = selection.getRangeAt(0);
  const around = range.commonAncestorContainer;
  const formula = (around.closest ? around : around.parentElement)?.closest("math[alttext]");
  if (formula) {
    event.clipboardData.setData("text/plain", latex(formula));
  } else {
    const part = document.createElement("div");
    part.className = "copied";
    part.append(range.cloneContents());
    const formulas = part.querySelectorAll("math[alttext]");
    if (!formulas.length) return;
    event.clipboardData.setData("text/html", part.innerHTML);
    for (const one of formulas) one.replaceWith(latex(one));
    // Only what is on the page knows where its lines end.
    document.body.append(part);
    event.clipboardData.setData("text/plain", part.innerText);
    part.remove();
  }
  event.preventDefault();
});

function latex(formula) {
  const mark = formula.getAttribute("display") === "block" ? "$$" : "$";
  return mark + formula.getAttribute("alttext") + mark;
}
