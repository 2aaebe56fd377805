// A WebSocket that opens again after every loss, and notices when the other side is silent.

const TICK = 500;
const ASK_AFTER = 3_000; // Milliseconds of silence before a visible page asks whether the server is there.
const ASK_AFTER_HIDDEN = 20_000;
const PATIENCE = 5_000; // For the answer.
const PATIENCE_AWAKE = 3_000; // After the page or the network wakes up, when the connection is likely to be dead.
const TIME_TO_OPEN = 10_000;
const FIRST_PAUSE = 1_000; // Before the second attempt at most. It doubles with every attempt that is refused.
const LONGEST_PAUSE = 2_000;
const LONGEST_PAUSE_HIDDEN = 30_000;
const PROBE_EVERY = 1_500;
const PROBE_PATIENCE = 4_000;

export class Socket {
  #url;
  #on;
  #socket = null;
  #attempt = null; // Aborts whatever is under way: the listeners of a socket, or probes.
  #next = 0;
  #refusals = 0;
  #isOver = false;
  #begunAt = 0;
  #heardAt = 0;
  #askedAt = null;
  #isAskedAgain = false;
  #patience = PATIENCE;
  #tickedAt = performance.now();

  // `on` has `open()`, `message(text)` and `lose({code, reason, wasOpen, isSilent, refusals})`.
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
    setInterval(() => this.#tick(), TICK);
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    const signal = this.#begin();
    this.#begunAt = performance.now();
    this.#socket = new WebSocket(this.#url);
    this.#socket.addEventListener("open", () => this.#greet(), { signal });
    this.#socket.addEventListener("message", ({ data }) => this.#hear(data), { signal });
    this.#socket.addEventListener("close", ({ code, reason }) => this.#lose(code, false, reason), { signal });
  }

  // Until the next `open` or `check`.
  close() {
    this.#abandon();
  }

  // For good.
  stop() {
    this.#isOver = true;
    this.#abandon();
  }

  // Finds out at once whether the connection still works, and opens it if it does not.
  check() {
    if (this.#isOver) return;
    if (this.isOpen) this.#ask(PATIENCE_AWAKE);
    else this.#probe(this.#begin());
  }

  #greet() {
    this.#refusals = 0;
    this.#hear("");
    this.#on.open();
  }

  #hear(text) {
    this.#heardAt = performance.now();
    this.#askedAt = null;
    this.#isAskedAgain = false;
    if (text) this.#on.message(text);
  }

  #ask(patience) {
    this.#askedAt = performance.now();
    this.#patience = patience;
    this.#socket.send('{"type":"ping"}');
  }

  #tick() {
    const now = performance.now();
    // The page was asleep, or its timers are throttled. An answer may have arrived that the page has not seen yet.
    const isLate = now - this.#tickedAt > 4 * TICK;
    this.#tickedAt = now;
    if (!this.#socket) return;
    if (!this.isOpen) {
      if (now - this.#begunAt > TIME_TO_OPEN) this.#lose(0, true);
    } else if (this.#askedAt === null) {
      if (now - this.#heardAt > (document.hidden ? ASK_AFTER_HIDDEN : ASK_AFTER)) this.#ask(PATIENCE);
    } else if (now - this.#askedAt > this.#patience) {
      if (!isLate || this.#isAskedAgain) this.#lose(0, true);
      else {
        this.#isAskedAgain = true;
        this.#ask(PATIENCE);
      }
    }
  }

  #lose(code, isSilent = false, reason = "") {
    const wasOpen = this.#heardAt > this.#begunAt;
    const signal = this.#begin();
    if (!isSilent) this.#refusals += 1;
    this.#on.lose({ code, reason, wasOpen, isSilent, refusals: this.#refusals });
    if (this.#isOver) return;
    if (isSilent) this.#probe(signal);
    else {
      // Random, because a restart of the server cuts off everybody at the same moment.
      const longest = document.hidden ? LONGEST_PAUSE_HIDDEN : LONGEST_PAUSE;
      const pause = Math.min(longest, FIRST_PAUSE * 2 ** (this.#refusals - 1)) * Math.random();
      this.#next = setTimeout(() => this.open(), pause);
    }
  }

  // Looks for the server through a network that may be dead. Requests can overlap, but browsers open one WebSocket at
  // a time, and that one could hang.
  #probe(signal) {
    const pause = document.hidden ? LONGEST_PAUSE_HIDDEN : PROBE_EVERY;
    this.#next = setTimeout(() => this.#probe(signal), pause * (0.7 + 0.3 * Math.random()));
    const options = { method: "HEAD", cache: "no-store", signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_PATIENCE)]) };
    fetch("/healthz", options).then(() => signal.aborted || this.open(), () => {});
  }

  #begin() {
    this.#abandon();
    this.#attempt = new AbortController();
    return this.#attempt.signal;
  }

  // Forgets the socket at once. The closing handshake with a dead peer would take more than a minute.
  #abandon() {
    clearTimeout(this.#next);
    this.#attempt?.abort();
    this.#socket?.close();
    this.#socket = this.#askedAt = null;
    this.#isAskedAgain = false;
  }
}
