// Scrolls with a growing answer while the reader is at its end. Otherwise a button offers to jump there.

const NEAR = 48; // Pixels from the end that still count as the end.

const scroller = document.getElementById("scroller");
const messages = document.querySelector("#scroller .messages");
const button = document.getElementById("new-text");

if (scroller) {
  const isLive = messages.id === "messages";
  let following = true;
  let height = 0;

  const toEnd = () => {
    following = true;
    button.hidden = true;
    scroller.scrollTop = scroller.scrollHeight;
  };

  scroller.addEventListener("scroll", () => {
    // Content that changes its height scrolls as well. Only scrolling by the reader ends following.
    const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    if (isAtEnd) {
      following = true;
      button.hidden = true;
    } else if (scroller.scrollHeight === height) following = false;
  }, { passive: true });

  for (const step of ["wheel", "touchmove"]) {
    scroller.addEventListener(step, () => {
      if (scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight >= NEAR) following = false;
    }, { passive: true });
  }

  new ResizeObserver(() => {
    const grew = messages.offsetHeight > height;
    height = scroller.scrollHeight;
    if (following) scroller.scrollTop = scroller.scrollHeight;
    else if (grew && messages.querySelector('[data-state="running"]')) button.hidden = false;
  }).observe(messages);

  button.addEventListener("click", () => {
    toEnd();
    document.getElementById("message").focus();
  });
  // Sending a message while reading older ones goes to the end.
  document.addEventListener("turn:sent", () => (isLive ? toEnd() : location.assign(document.querySelector(".newer a:last-child").href)));
  document.addEventListener("view:end", toEnd);

  // A page of older messages starts at its top, a linked message in view, and "before" at the end.
  const isBefore = new URLSearchParams(location.search).has("before");
  if ((isLive || isBefore) && !location.hash) toEnd();
  else following = false;

  // Keeps the reading position when earlier messages are inserted above.
  let fromEnd = null;
  document.addEventListener("htmx:before:swap", (event) => {
    if (event.detail.ctx?.sourceElement?.id === "older") fromEnd = scroller.scrollHeight - scroller.scrollTop;
  });
  document.addEventListener("htmx:after:swap", () => {
    if (fromEnd !== null) scroller.scrollTop = scroller.scrollHeight - fromEnd;
    fromEnd = null;
  });
}
