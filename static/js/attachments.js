// Attaches files to the message being written: chosen, dropped or pasted files are uploaded one by one.
import { nameReference, say } from "./composer.js";
import { MOST_RENEWALS, renew } from "./session.js";

const AT_A_TIME = 3;

const composer = document.getElementById("composer");
const list = document.getElementById("drafts");
const chooser = composer?.querySelector("[data-attach]");
const warning = document.getElementById("drafts-warning");

const text = document.getElementById("message");
const longText = document.getElementById("long-text");

const waiting = [];
let running = 0;
let sendWhenDone = false;

if (chooser) {
  chooser.addEventListener("change", () => {
    add(chooser.files);
    chooser.value = "";
  });
  document.addEventListener("paste", (event) => {
    // Spreadsheets put cells on the clipboard as text and as an image: the text is what people want.
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
  // In the capture phase, before htmx.
  document.addEventListener("submit", waitForUploads, true);
  document.getElementById("model")?.addEventListener("change", warnOfImages);
  new MutationObserver(warnOfImages).observe(list, { childList: true });
  addEventListener("beforeunload", (event) => { if (isBusy()) event.preventDefault(); });
  warnOfImages();
  longText.querySelector("button").addEventListener("click", attachText);
  text.addEventListener("input", offerFile);
  offerFile();
}

// A text as long as the longest message is better read as a file.
function offerFile() {
  const longest = Number(longText.dataset.longest);
  // Characters are counted only if there can be enough of them.
  const count = text.value.length < longest ? 0 : [...text.value].length;
  longText.hidden = count < longest;
  if (count >= longest) longText.querySelector("span").textContent = `This text has ${count.toLocaleString("en")} characters.`;
}

function attachText() {
  add([new File([text.value], "pasted-text.txt", { type: "text/plain" })]);
}

// The text leaves the field once it is stored as a file, unless the person has changed it meanwhile.
async function clearText(file) {
  if (file.name !== "pasted-text.txt" || (await file.text()) !== text.value) return;
  text.value = "";
  text.dispatchEvent(new Event("input", { bubbles: true }));
  text.focus();
}

function add(files) {
  say("");
  const refused = [];
  for (const file of files) {
    const limit = Number(chooser.dataset.largest);
    if (list.childElementCount >= Number(chooser.dataset.most)) {
      refused.push(`“${file.name}” was not attached: at most ${chooser.dataset.most} files per message.`);
    } else if (file.size > limit) {
      refused.push(`“${file.name}” is too large (${megabytes(file.size)}; limit ${megabytes(limit)}).`);
    } else waiting.push({ file, row: rowFor(file) });
  }
  refused.forEach(refuse);
  next();
}

function megabytes(size) {
  return `${Math.ceil(size / 1e5) / 10}\u00a0MB`;
}

function rowFor(file) {
  const row = document.getElementById("draft-uploading").content.firstElementChild.cloneNode(true);
  row.querySelector(".draft-name").textContent = file.name;
  row.querySelector("progress").setAttribute("aria-label", `Uploading ${file.name}`);
  row.querySelector("[data-cancel]").setAttribute("aria-label", `Remove ${file.name}`);
  row.querySelector(".draft-again").setAttribute("aria-label", `Try ${file.name} again`);
  row.querySelector("[data-cancel]").addEventListener("click", () => cancel(row));
  row.querySelector(".draft-again").addEventListener("click", () => {
    showState(row, "", true);
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

// A failed upload does not count: it waits until the person retries.
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
    // The server now inspects the file, for an unknown time.
    if (event.loaded === event.total) bar.removeAttribute("value");
  });
  request.addEventListener("loadend", () => {
    running -= 1;
    if (renewToken(request, row)) waiting.push({ file, row });
    else finish(row, request, file);
    next();
  });
  request.open("POST", chooser.dataset.attach);
  for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
  const body = new FormData();
  body.append("files", file);
  request.send(body);
}

// Retries with the new token that a refusal of an old token carries.
function renewToken(request, row) {
  const count = Number(row.dataset.renewals ?? 0);
  if (request.status !== 403 || count === MOST_RENEWALS) return false;
  row.dataset.renewals = count + 1;
  return renew((name) => request.getResponseHeader(name));
}

function finish(row, request, file) {
  if (!row.isConnected) return;
  const { status } = request;
  if (status !== 201 && status !== 422) {
    sendWhenDone = false;
    showState(row, { 0: "Not uploaded", 401: "Signed out", 404: "No access", 413: "Too large", 503: "The site is busy" }[status] ?? "Not uploaded", false);
    if (status === 500) say(`“${file.name}” could not be uploaded. ${nameReference(request.getResponseHeader("X-Request-Id"))}`);
    return;
  }
  const answer = document.createElement("template");
  answer.innerHTML = request.responseText;
  for (const refusal of answer.content.querySelectorAll("[data-refusal]")) {
    sendWhenDone = false;
    document.getElementById("composer-errors").append(refusal);
  }
  const hadFocus = row.contains(document.activeElement);
  const draft = answer.content.querySelector(".draft");
  if (draft) {
    row.replaceWith(draft);
    htmx.process(draft);
    if (hadFocus) draft.querySelector(".draft-remove").focus();
    clearText(file);
  } else removeRow(row);
}

function showState(row, words, isUploading) {
  row.classList.toggle("draft-failed", !isUploading);
  row.querySelector(".draft-note").textContent = words;
  row.querySelector("progress").hidden = !isUploading;
  row.querySelector(".draft-again").hidden = isUploading;
}

function cancel(row) {
  const place = waiting.findIndex((each) => each.row === row);
  if (place >= 0) waiting.splice(place, 1);
  removeRow(row);
  row.upload?.abort();
}

async function remove(button) {
  const row = button.closest(".draft");
  button.disabled = true;
  try {
    const answer = await fetch(button.getAttribute("formaction"), { method: "POST", headers: headers() });
    renew((name) => answer.headers.get(name));
    // 404: the file was sent or removed in another tab.
    if (!answer.ok && answer.status !== 404) throw new Error(`${answer.status}`);
    removeRow(row);
  } catch {
    button.disabled = false;
    refuse(`“${row.querySelector(".draft-name").textContent}” could not be removed. Try again in a moment.`);
  }
}

// Moves the focus to the next file, or to the text after the last one.
function removeRow(row) {
  const after = row.nextElementSibling ?? row.previousElementSibling;
  const hadFocus = row.contains(document.activeElement) || document.activeElement === document.body;
  row.remove();
  if (hadFocus) (after?.querySelector(".draft-remove") ?? document.getElementById("message")).focus();
}

function waitForUploads(event) {
  if (event.target !== composer || event.submitter?.hasAttribute("formaction") || !list.querySelector("[data-uploading]")) return;
  event.preventDefault();
  event.stopPropagation();
  sendWhenDone = isBusy();
  say(sendWhenDone ? "Your message will be sent when the files are uploaded." : "A file was not uploaded. Try it again or remove it, then send.");
}

function warnOfImages() {
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
  const highlight = (isOver) => area.toggleAttribute("data-drop", isOver);
  area.addEventListener("dragenter", (event) => {
    if (hasFiles(event)) highlight(++depth > 0);
  });
  area.addEventListener("dragleave", (event) => {
    if (hasFiles(event)) highlight(--depth > 0);
  });
  area.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  area.addEventListener("drop", (event) => {
    depth = 0;
    highlight(false);
    if (!hasFiles(event)) return;
    event.preventDefault();
    add(event.dataTransfer.files);
    document.getElementById("message").focus();
  });
}
