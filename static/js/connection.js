// The socket of a conversation: says when it is gone, notices when it is dead, and when it is over for good.

const NO_ACCESS = 4403;
const PING_EVERY = 20_000;
const PATIENCE = 8_000;
const QUIET_FOR = 1_500; // A short break is nobody's business.

let socket = null;
let heardAt = 0;
let over = false;
let notice = 0;

document.addEventListener("htmx:after:ws:connection", (event) => {
  // Back again: the socket brings this conversation up to date, the list of all of them is asked for.
  if (socket) htmx.ajax("GET", "/conversations/", { target: "#conversations", swap: "innerMorph" });
  socket = event.detail.connection.socket;
  heardAt = Date.now();
  clearTimeout(notice);
  show("");
  document.documentElement.dataset.connection = "open";
});

document.addEventListener("htmx:before:ws:message", () => { heardAt = Date.now(); });

document.addEventListener("htmx:ws:close", (event) => {
  delete document.documentElement.dataset.connection;
  if (event.detail.reason !== "closed") return;
  if (event.detail.code === NO_ACCESS) {
    over = true;
    askWhy().then((isKnown) => isKnown || end("This page no longer receives updates. Reload it: your text is kept."));
  } else {
    clearTimeout(notice);
    notice = setTimeout(() => show(navigator.onLine ? "Reconnecting… This page may be out of date." : "You are offline. Your text stays here."), QUIET_FOR);
    // A refused handshake does not say why: ask whether this page may still be seen.
    if (event.detail.connection?.attempt > 0) askWhy();
  }
});

document.addEventListener("htmx:before:ws:connection", (event) => {
  if (over) event.detail.connection.cancelled = true;
});

setInterval(() => {
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send('{"type":"ping"}');
  const asked = Date.now();
  // A network that vanished closes nothing: an answer that does not come does.
  setTimeout(() => { if (heardAt < asked) socket.close(); }, PATIENCE);
}, PING_EVERY);

addEventListener("online", () => wake());
document.addEventListener("visibilitychange", () => { if (!document.hidden) wake(); });

function wake() {
  if (socket?.readyState === WebSocket.OPEN && Date.now() - heardAt > PING_EVERY) socket.send('{"type":"ping"}');
}

// Returns whether the server told.
async function askWhy() {
  try {
    const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect") {
      end("You are signed out. Your text is still here.", true);
      return true;
    }
    if (answer.status === 404) {
      end("This conversation was deleted, or you are no longer a member. Your text is still here.");
      document.querySelector('.conversation-row:has([aria-current="page"])')?.remove();
      return true;
    }
  } catch {
    // Not reachable: the notice says so already.
  }
  return false;
}

function end(words, mayRetry = false) {
  over = true;
  clearTimeout(notice);
  show(words, mayRetry);
}

function show(words, mayRetry = false) {
  const place = document.getElementById("connection");
  if (!place) return;
  place.hidden = !words;
  place.querySelector("[data-connection-words]").textContent = words;
  place.querySelector("[data-connection-link]").hidden = !mayRetry;
}
