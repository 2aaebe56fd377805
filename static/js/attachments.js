// Files for the message that is being written: chosen, dropped or pasted, uploaded one by one, each on its own line.
import { say } from "./composer.js";
import { renew } from "./session.js";

const AT_A_TIME = 3;

const composer = document.getElementById("composer");
const list = document.getElementById("drafts");
const chooser = composer?.querySelector("[data-attach]");
const warning = document.getElementById("drafts-warning");

const waiting = [];
let running = 0;
let sendWhenDone = false;

if (chooser) {
  chooser.addEventListener("change", () => {
    add(chooser.files);
    chooser.value = "";
  });
  document.addEventListener("paste", (event) => {
    // A spreadsheet's cells come as text and as a picture of it: the text is meant.
    if (!event.clipboardData.files.length || event.clipboardData.types.includes("text/plain")) return;
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    add(event.clipboardData.files);
  });
  acceptDrops(document.querySelector("main"));
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-remove]");
    if (!button) return;
    event.preventDefault();
    remove(button);
  });
  // Before htmx hears of it.
  document.addEventListener("submit", holdBack, true);
  document.getElementById("model")?.addEventListener("change", warn);
  new MutationObserver(warn).observe(list, { childList: true });
  addEventListener("beforeunload", (event) => { if (isBusy()) event.preventDefault(); });
  warn();
}

function add(files) {
  say("");
  const refused = [];
  for (const file of files) {
    if (list.childElementCount >= Number(chooser.dataset.most)) refused.push(`“${file.name}” was not attached: at most ${chooser.dataset.most} files per message.`);
    else if (file.size > Number(chooser.dataset.largest)) refused.push(`“${file.name}” is too large (${megabytes(file.size)}; limit ${megabytes(chooser.dataset.largest)}).`);
    else waiting.push({ file, row: rowFor(file) });
  }
  refused.forEach(refuse);
  next();
}

function megabytes(size) {
  return `${Math.ceil(size / 1e5) / 10}\u00a0MB`;
}

function rowFor(file) {
  const row = document.getElementById("draft-on-its-way").content.firstElementChild.cloneNode(true);
  row.querySelector(".draft-name").textContent = file.name;
  row.querySelector("progress").setAttribute("aria-label", `Uploading ${file.name}`);
  row.querySelector("[data-cancel]").setAttribute("aria-label", `Remove ${file.name}`);
  row.querySelector(".draft-again").setAttribute("aria-label", `Try ${file.name} again`);
  row.querySelector("[data-cancel]").addEventListener("click", () => cancel(row));
  row.querySelector(".draft-again").addEventListener("click", () => {
    tell(row, "", true);
    waiting.push({ file, row });
    next();
  });
  list.append(row);
  return row;
}

function next() {
  while (running < AT_A_TIME && waiting.length) upload(waiting.shift());
  if (sendWhenDone && !isBusy()) {
    sendWhenDone = false;
    if (!list.querySelector("[data-uploading]")) composer.requestSubmit();
  }
}

// What failed waits for its person, and is nothing that is on its way.
function isBusy() {
  return running > 0 || waiting.length > 0;
}

function upload({ file, row }) {
  running += 1;
  const request = new XMLHttpRequest();
  const bar = row.querySelector("progress");
  row.upload = request;
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = event.loaded / event.total;
    // The rest is the server's: how long it looks at the file is not known.
    if (event.loaded === event.total) bar.removeAttribute("value");
  });
  request.addEventListener("loadend", () => {
    running -= 1;
    if (isRenewed(request, row)) waiting.push({ file, row });
    else settle(row, request);
    next();
  });
  request.open("POST", chooser.dataset.attach);
  for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
  const body = new FormData();
  body.append("files", file);
  request.send(body);
}

// An old token was refused: with the new one that came with the refusal, the same is tried once more.
function isRenewed(request, row) {
  if (request.status !== 403 || row.hasAttribute("data-again")) return false;
  row.toggleAttribute("data-again", true);
  return renew((name) => request.getResponseHeader(name));
}

function settle(row, request) {
  if (!row.isConnected) return;
  const { status } = request;
  if (status !== 201 && status !== 422) {
    sendWhenDone = false;
    tell(row, { 0: "Not uploaded", 401: "Signed out", 404: "No access", 413: "Too large" }[status] ?? "Not uploaded", false);
    return;
  }
  const answer = document.createElement("template");
  answer.innerHTML = request.responseText;
  for (const refusal of answer.content.querySelectorAll("[data-refusal]")) {
    sendWhenDone = false;
    document.getElementById("composer-errors").append(refusal);
  }
  const hadFocus = row.contains(document.activeElement);
  const taken = answer.content.querySelector(".draft");
  if (taken) {
    row.replaceWith(taken);
    htmx.process(taken);
    if (hadFocus) taken.querySelector("button").focus();
  } else leave(row);
}

function tell(row, words, isOnItsWay) {
  row.classList.toggle("draft-failed", !isOnItsWay);
  row.querySelector(".draft-note").textContent = words;
  row.querySelector("progress").hidden = !isOnItsWay;
  row.querySelector(".draft-again").hidden = isOnItsWay;
}

function cancel(row) {
  const place = waiting.findIndex((each) => each.row === row);
  if (place >= 0) waiting.splice(place, 1);
  leave(row);
  row.upload?.abort();
}

async function remove(button) {
  const row = button.closest(".draft");
  button.disabled = true;
  try {
    const answer = await fetch(button.getAttribute("formaction"), { method: "POST", headers: headers() });
    renew((name) => answer.headers.get(name));
    // Sent or removed elsewhere is gone as well.
    if (!answer.ok && answer.status !== 404) throw new Error(`${answer.status}`);
    leave(row);
  } catch {
    button.disabled = false;
    refuse(`“${row.querySelector(".draft-name").textContent}” could not be removed. Try again in a moment.`);
  }
}

// The focus goes on to the next file, after the last one to the text.
function leave(row) {
  const after = row.nextElementSibling ?? row.previousElementSibling;
  const hadFocus = row.contains(document.activeElement) || document.activeElement === document.body;
  row.remove();
  if (hadFocus) (after?.querySelector("button:last-child") ?? document.getElementById("message")).focus();
}

function holdBack(event) {
  if (event.target !== composer || event.submitter?.hasAttribute("data-remove") || !list.querySelector("[data-uploading]")) return;
  event.preventDefault();
  event.stopPropagation();
  sendWhenDone = isBusy();
  say(sendWhenDone ? "Your message will be sent when the files are uploaded." : "A file was not uploaded. Try it again or remove it, then send.");
}

function warn() {
  const option = document.getElementById("model")?.selectedOptions[0];
  const isBlind = option?.hasAttribute("data-blind") && list.querySelector('[data-kind="image"]');
  warning.hidden = !isBlind;
  if (isBlind) warning.querySelector("span").textContent = `${option.text} cannot see images. Choose another model, or remove them.`;
}

function refuse(words) {
  const line = document.createElement("p");
  line.className = "field-error";
  line.textContent = words;
  document.getElementById("composer-errors").append(line);
}

function headers() {
  return JSON.parse(document.body.getAttribute("hx-headers:inherited"));
}

function acceptDrops(area) {
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = (isOver) => area.toggleAttribute("data-drop", isOver);
  area.addEventListener("dragenter", (event) => {
    if (hasFiles(event)) over(++depth > 0);
  });
  area.addEventListener("dragleave", (event) => {
    if (hasFiles(event)) over(--depth > 0);
  });
  area.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  area.addEventListener("drop", (event) => {
    depth = 0;
    over(false);
    if (!hasFiles(event)) return;
    event.preventDefault();
    add(event.dataTransfer.files);
    document.getElementById("message").focus();
  });
}
