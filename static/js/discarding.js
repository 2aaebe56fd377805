// Asks before changes are thrown away.

const question = document.getElementById("discard");

let discard = null;

// Calls `action` if the person agrees. Otherwise the focus returns to `field`.
export function askToDiscard(action, field) {
  discard = action;
  // A dialog returns the focus to where it was.
  field.focus();
  question.showModal();
}

question.addEventListener("click", ({ target }) => {
  if (target.closest("[data-keep], [data-discard]")) question.close();
  if (target.closest("[data-discard]")) discard();
});
