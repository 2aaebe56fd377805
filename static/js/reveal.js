// Adds a Show button to fields marked `data-reveal`. The mark names the field; if it is empty, "password".

const SHOW = "Show";
const HIDE = "Hide";

function addButton(field) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "reveal-button";
  button.setAttribute("aria-controls", field.id);

  const show = (shown) => {
    field.type = shown ? "text" : "password";
    button.textContent = shown ? HIDE : SHOW;
    button.setAttribute("aria-label", `${button.textContent} ${field.dataset.reveal || "password"}`);
  };
  button.addEventListener("click", () => {
    show(field.type === "password");
    field.focus();
  });
  // Submit it as a password: the browser would remember ordinary text.
  field.form?.addEventListener("submit", () => show(false));
  show(false);

  const wrap = document.createElement("span");
  wrap.className = "reveal";
  field.replaceWith(wrap);
  wrap.append(field, button);
  if (field.autofocus) field.focus();
}

document.querySelectorAll("input[data-reveal]").forEach(addButton);
