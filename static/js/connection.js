// Watches the WebSocket of a conversation: shows when it is down, detects dead connections, and stops when access ends.

const NO_ACCESS = 4403;
const PING_EVERY = 20_000;
const PATIENCE = 8_000;
const QUIET_FOR = 1_500; // Milliseconds before a lost connection is shown.

let socket = null;
let lastMessageAt = 0;
let over = false;
let notice = 0;

document.addEventListener("htmx:after:ws:connection", (event) => {
  // After a reconnect, the socket updates this conversation, and the list is loaded again.
  if (socket) htmx.ajax("GET", "/conversations/", { target: "#conversations", swap: "innerMorph" });
  socket = event.detail.connection.socket;
  lastMessageAt = Date.now();
  clearTimeout(notice);
  show("");
  document.documentElement.dataset.connection = "open";
});

document.addEventListener("htmx:before:ws:message", () => { lastMessageAt = Date.now(); });

document.addEventListener("htmx:ws:close", (event) => {
  delete document.documentElement.dataset.connection;
  if (event.detail.reason !== "closed") return;
  if (event.detail.code === NO_ACCESS) {
    over = true;
    findReason().then((isShown) => isShown || end("This page no longer receives updates. Reload it: your text is kept."));
  } else {
    clearTimeout(notice);
    notice = setTimeout(() => show(navigator.onLine ? "Reconnecting… This page may be out of date." : "You are offline. Your text stays here."), QUIET_FOR);
    // A refused handshake gives no reason, so ask for the page.
    if (event.detail.connection?.attempt > 0) findReason();
  }
});

document.addEventListener("htmx:before:ws:connection", (event) => {
  if (over) event.detail.connection.cancelled = true;
});

setInterval(() => {
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send('{"type":"ping"}');
  const asked = Date.now();
  // A lost network does not close the socket, but a missing answer to a ping shows it.
  setTimeout(() => { if (lastMessageAt < asked) socket.close(); }, PATIENCE);
}, PING_EVERY);

addEventListener("online", () => wake());
document.addEventListener("visibilitychange", () => { if (!document.hidden) wake(); });

function wake() {
  if (socket?.readyState === WebSocket.OPEN && Date.now() - lastMessageAt > PING_EVERY) socket.send('{"type":"ping"}');
}

// Finds out why the socket closed. Returns whether the server gave a reason.
async function findReason() {
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
    // The server cannot be reached, which the notice already says.
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
