// The view follows the growing end only while the reader is there; otherwise a button says that there is more.

const NEAR = 48; // Pixels from the end that still count as being there.

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
    // Content that shrank or grew also moves the view: only a reader's own step up ends following.
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
  // Who speaks while reading the past is taken to where it is said.
  document.addEventListener("turn:sent", () => (isLive ? toEnd() : location.assign(document.querySelector(".newer a:last-child").href)));
  document.addEventListener("view:end", toEnd);

  // A part of the past, or a message that the address names, is read from where it stands; what came before, from its end.
  const isBefore = new URLSearchParams(location.search).has("before");
  if ((isLive || isBefore) && !location.hash) toEnd();
  else following = false;

  // Earlier messages are put in above: what one reads stays where it is.
  let fromEnd = null;
  document.addEventListener("htmx:before:swap", (event) => {
    if (event.detail.ctx?.sourceElement?.id === "older") fromEnd = scroller.scrollHeight - scroller.scrollTop;
  });
  document.addEventListener("htmx:after:swap", () => {
    if (fromEnd !== null) scroller.scrollTop = scroller.scrollHeight - fromEnd;
    fromEnd = null;
  });
}
