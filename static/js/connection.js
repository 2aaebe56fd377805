// Applies live updates to the page, and says so when there are none.
import { Socket } from "./socket.js";

const NO_ACCESS = 4403;
const TOO_MANY_TABS = 4429;
const OUR_FAULT = 4500; // With the reference for administrators as its reason.
const QUIET_FOR = 1_500; // Milliseconds before a lost connection is shown.
const SPREAD = 3_000; // Milliseconds over which pages that lose updates at the same time load their lists again.
const ASK_AT_REFUSAL = 3; // Loading the page to learn the reason is expensive for a server that is just starting.

const root = document.documentElement;
const main = document.querySelector("main[data-socket]");

let socket = null;
let wasConnected = false;
let notice = 0;
let refresh = 0;
let isFaulty = false; // Until the server has sent something again: it may fail each time that the page connects.

// htmx, which swaps the updates, is loaded by then.
if (main) document.addEventListener("DOMContentLoaded", connect);

function connect() {
  const url = new URL(main.dataset.socket, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  socket = new Socket(url, { open, message, lose });
  socket.open();
  const check = () => socket.check();
  addEventListener("online", check);
  addEventListener("offline", check);
  document.addEventListener("resume", check);
  navigator.connection?.addEventListener("change", check);
  document.addEventListener("visibilitychange", wake);
  // A page with an open socket could not be kept for the back button.
  addEventListener("pagehide", () => socket.close());
  addEventListener("pageshow", (event) => event.persisted && check());
}

function wake() {
  if (document.hidden) return;
  socket.check();
  if (!socket.isOpen) announce(QUIET_FOR);
}

function open() {
  // The socket brings this conversation up to date, but not the list.
  if (wasConnected) refreshList();
  wasConnected = true;
  quieten();
  if (!isFaulty) show("");
  root.dataset.connection = "open";
  document.dispatchEvent(new CustomEvent("server:reached"));
}

function message(text) {
  if (isFaulty) {
    isFaulty = false;
    show("");
  }
  // JSON is about the connection: an answer to a heartbeat, or word that updates were lost.
  if (text.startsWith("{")) {
    if (text.includes("behind")) refreshList();
  } else htmx.swap({ sourceElement: main, target: main, swap: "none", text, transition: false });
}

function lose({ code, reason, wasOpen, isSilent, refusals }) {
  delete root.dataset.connection;
  if (code === NO_ACCESS) {
    socket.stop();
    findReason().then((isShown) => isShown || end("This page no longer receives updates. Reload it: your text is kept."));
  } else if (code === TOO_MANY_TABS) {
    end("You have too many tabs open, so this one no longer receives updates. Close some, then reload it: your text is kept.");
  } else if (code === OUR_FAULT) {
    isFaulty = true;
    quieten();
    show(`Something went wrong. Reconnecting… This page may be out of date.${reason && ` Reference: ${reason}`}`);
  } else {
    announce(isSilent ? 0 : QUIET_FOR);
    if (!wasOpen && refusals % 8 === ASK_AT_REFUSAL) findReason();
  }
}

// A hidden page says nothing: by the time that somebody looks at it, it has usually reconnected.
function announce(delay) {
  if (document.hidden || (notice && delay)) return;
  quieten();
  notice = setTimeout(() => {
    notice = 0;
    show(navigator.onLine ? "Reconnecting… This page may be out of date." : "You are offline. Your text stays here.");
  }, delay);
}

function quieten() {
  clearTimeout(notice);
  notice = 0;
}

function refreshList() {
  const reload = () => htmx.ajax("GET", "/conversations/", { target: "#conversations", swap: "innerMorph" });
  clearTimeout(refresh);
  refresh = setTimeout(reload, SPREAD * Math.random());
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
  socket.stop();
  quieten();
  show(words, mayRetry);
}

function place() {
  return document.getElementById("connection");
}

function show(words, mayRetry = false) {
  if (!place()) return;
  place().hidden = !words;
  place().querySelector("[data-connection-words]").textContent = words;
  place().querySelector("[data-connection-link]").hidden = !mayRetry;
}
