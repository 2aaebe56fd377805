// A session that ended: the password is asked for in place, and what was interrupted goes on.

let interrupted = null;

document.addEventListener("htmx:after:request", (event) => {
  if (event.detail.ctx.response?.status !== 401) return;
  if (event.target.id === "composer") interrupted = event.target;
  // The form stands there already, perhaps half filled in.
  if (document.querySelector("#dialog[open] [name=password]")) event.preventDefault();
});

document.addEventListener("session:renewed", async (event) => {
  const { token } = event.detail;
  document.body.setAttribute("hx-headers:inherited", JSON.stringify({ "X-CSRFToken": token }));
  for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = token;
  document.getElementById("dialog").close();
  const composer = document.getElementById("composer");
  if (interrupted) {
    document.addEventListener("turn:sent", () => location.reload(), { once: true });
    composer.requestSubmit();
  } else if (composer) {
    await fetch(document.getElementById("message").getAttribute("hx-post"), {
      method: "POST",
      headers: { "X-CSRFToken": token },
      body: new FormData(composer),
    });
    location.reload();
  } else location.reload();
});
