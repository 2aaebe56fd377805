// A button in each password field marked `data-reveal` that shows what was typed. Without script there is none.
// What it shows is named by the mark; an empty one stands for a password.

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
  // A shown password is sent as a password: else the browser would remember it as ordinary text.
  field.form?.addEventListener("submit", () => show(false));
  show(false);

  const wrap = document.createElement("span");
  wrap.className = "reveal";
  field.replaceWith(wrap);
  wrap.append(field, button);
  if (field.autofocus) field.focus();
}

document.querySelectorAll("input[data-reveal]").forEach(addButton);
