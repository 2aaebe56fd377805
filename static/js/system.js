// Tries a WebSocket as other pages use it, and asks the server to explain what became of it.

const PATIENCE = 8_000;

const report = document.querySelector("#socket-report");
if (report) document.addEventListener("DOMContentLoaded", tryOut);

async function tryOut() {
  report.firstElementChild.textContent = "Trying a WebSocket from this browser…";
  const query = new URLSearchParams({ outcome: await connect(), origin: location.origin });
  htmx.ajax("GET", `${report.dataset.report}?${query}`, { target: "#socket-report", swap: "innerHTML" });
}

function connect() {
  const { promise, resolve } = Promise.withResolvers();
  const url = new URL(document.querySelector("main").dataset.socket, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  let outcome = "failed";
  const end = () => (resolve(outcome), socket.close());
  socket.addEventListener("open", () => {
    outcome = "silent";
    socket.send('{"type":"ping"}');
  });
  socket.addEventListener("message", () => {
    outcome = "works";
    end();
  });
  socket.addEventListener("close", end);
  setTimeout(end, PATIENCE);
  return promise;
}
