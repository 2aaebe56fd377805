// Shows the chosen theme at once. The server keeps it in a cookie and writes it into the next page.

document.addEventListener("click", (event) => {
  const button = event.target.closest(".theme-switch button");
  if (!button) return;
  const root = document.documentElement;
  if (button.value === "system") delete root.dataset.theme;
  else root.dataset.theme = button.value;
  for (const each of button.form.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button));
});
