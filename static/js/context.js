// The context gauge: loads it again after a turn or when another model is chosen.

const gauge = document.getElementById("context");
const messages = document.getElementById("messages");
const QUIET = 300;
const BYTES_A_TOKEN = 4;

let waiting = 0;

if (gauge) {
  document.getElementById("model")?.addEventListener("change", ask);
  document.getElementById("message").addEventListener("input", offer);
  if (messages) new MutationObserver(changed).observe(messages, { childList: true, subtree: true, attributeFilter: ["data-state"] });
  document.addEventListener("htmx:after:swap", offer);
  document.addEventListener("dialog:close", askLater);
  // Keep the gauge instead of showing an error page in its place.
  document.addEventListener("htmx:after:request", (event) => {
    if (event.target === gauge && event.detail.ctx.response.status !== 200) event.preventDefault();
  });
}

function changed(records) {
  if (records.some((record) => record.target === messages || record.target.matches?.(".message"))) askLater();
}

function askLater() {
  clearTimeout(waiting);
  waiting = setTimeout(() => { if (!isGrowing()) ask(); }, QUIET);
}

function ask() {
  clearTimeout(waiting);
  gauge.dispatchEvent(new CustomEvent("context:stale"));
}

function isGrowing() {
  return Boolean(messages?.querySelector('.message:is([data-state="running"], [data-state="queued"])'));
}

// Offers to drop messages once the text being typed no longer fits.
function offer() {
  const form = document.querySelector("#context-offer .offer");
  const room = gauge.querySelector("[data-room]")?.dataset.room;
  if (!form || !room) return;
  const typed = new TextEncoder().encode(document.getElementById("message").value).length / BYTES_A_TOKEN;
  form.hidden = typed < Number(room);
}
