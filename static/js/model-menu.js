// Turns the <select> of models into a combobox with a search. The hidden <select> keeps the value.

const select = document.getElementById("model");
const FEW = 8; // So many models need no search, so a phone keeps its keyboard closed.
const GAP = 8;

let input = null;
let menu = null;
let list = null;
let none = null;
let items = []; // {option, element, words} in order.
let active = null;

if (select) enhance();

function enhance() {
  input = create("input", { id: "model-search", className: "bare model-select", type: "text", autocomplete: "off", spellcheck: false });
  set(input, { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-haspopup": "listbox", "aria-controls": "model-options" });
  if (select.length <= FEW && matchMedia("(pointer: coarse)").matches) input.inputMode = "none";
  document.querySelector('label[for="model"]').htmlFor = input.id;
  select.before(input);
  select.hidden = true;
  show();
  select.addEventListener("change", show);
  // The browser restores the chosen option of a page that is loaded again.
  addEventListener("pageshow", show);
  input.addEventListener("click", open);
  input.addEventListener("focus", () => input.select());
  input.addEventListener("input", search);
  input.addEventListener("keydown", press);
  input.addEventListener("blur", close);
  addEventListener("resize", () => isOpen() && place());
}

// The name of the chosen model is the value of the combobox.
function show() {
  input.value = select.selectedOptions[0]?.text ?? "";
  input.title = input.value;
}

function build() {
  menu = create("div", { className: "menu model-menu", popover: "manual" });
  list = create("div", { id: "model-options" });
  none = create("p", { className: "muted" });
  set(list, { role: "listbox", "aria-label": "Models" });
  set(none, { role: "status" });
  for (const group of select.querySelectorAll("optgroup")) {
    const box = create("div");
    set(box, { role: "group", "aria-label": group.label });
    const heading = create("p", { className: "model-menu-group", textContent: group.label });
    set(heading, { "aria-hidden": "true" });
    box.append(heading, ...[...group.children].map(buildItem));
    list.append(box);
  }
  menu.append(list, none);
  // The field keeps the focus while the menu is used.
  menu.addEventListener("pointerdown", (event) => event.preventDefault());
  menu.addEventListener("mousedown", (event) => event.preventDefault());
  menu.addEventListener("click", (event) => {
    const item = items.find(({ element }) => element.contains(event.target));
    if (item) choose(item);
  });
  input.after(menu);
}

function buildItem(option) {
  const { summary, provider } = option.dataset;
  const element = create("div", { id: `model-option-${option.value}`, className: "model-option" });
  set(element, { role: "option", "aria-label": option.text, "aria-selected": "false" });
  const name = create("span", { className: "model-option-name", textContent: option.text });
  element.append(name);
  if (summary) {
    const details = create("span", { id: `${element.id}-summary`, className: "muted", textContent: summary });
    element.append(details);
    set(element, { "aria-describedby": details.id });
  }
  items.push({ option, element, words: fold(`${option.text} ${provider}`) });
  return element;
}

function open() {
  if (isOpen()) return;
  if (!menu) build();
  for (const { option, element } of items) set(element, { "aria-selected": String(option.selected) });
  menu.showPopover();
  set(input, { "aria-expanded": "true" });
  filter("");
  activate(items.find(({ option }) => option.selected) ?? null);
}

function close() {
  if (!isOpen()) return;
  menu.hidePopover();
  set(input, { "aria-expanded": "false" });
  activate(null);
  show();
}

function isOpen() {
  return input.getAttribute("aria-expanded") === "true";
}

function search() {
  open();
  filter(input.value);
  activate(shown()[0] ?? null);
}

function filter(typed) {
  const wanted = fold(typed).split(/\s+/);
  for (const { element, words } of items) element.hidden = !wanted.every((word) => words.includes(word));
  for (const group of list.children) group.hidden = !group.querySelector('[role="option"]:not([hidden])');
  none.textContent = shown().length ? "" : "No model matches.";
  place();
}

function shown() {
  return items.filter(({ element }) => !element.hidden);
}

function activate(item) {
  active?.element.removeAttribute("data-active");
  active = item;
  if (!item) return input.removeAttribute("aria-activedescendant");
  set(item.element, { "data-active": "" });
  set(input, { "aria-activedescendant": item.element.id });
  item.element.scrollIntoView({ block: "nearest" });
}

function choose({ option }) {
  const isAnother = !option.selected;
  option.selected = true;
  close();
  if (isAnother) select.dispatchEvent(new Event("change", { bubbles: true }));
}

function press(event) {
  if (event.isComposing || event.ctrlKey || event.metaKey) return;
  if (!isOpen()) {
    if (!["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) return;
    open();
  } else if (event.key === "Tab") {
    return close();
  } else if (event.key === "Enter") {
    if (active) choose(active);
  } else if (event.key === "Escape") {
    event.stopPropagation();
    close();
    input.select();
  } else {
    const all = shown();
    const at = all.indexOf(active);
    const next = { ArrowDown: at + 1, ArrowUp: Math.max(at, 0) - 1, Home: 0, End: -1, PageDown: Math.min(at + 8, all.length - 1), PageUp: Math.max(at - 8, 0) }[event.key];
    if (next === undefined) return;
    if (all.length) activate(all.at(next % all.length));
  }
  event.preventDefault();
}

// On the side of the field that has more room.
function place() {
  const box = input.getBoundingClientRect();
  const above = box.top > innerHeight - box.bottom;
  const room = (above ? box.top : innerHeight - box.bottom) - 2 * GAP;
  menu.style.maxBlockSize = `${Math.min(room, 420)}px`;
  menu.style.inset = above ? `auto auto ${innerHeight - box.top + GAP / 2}px auto` : `${box.bottom + GAP / 2}px auto auto auto`;
  menu.style.left = `${Math.max(GAP, Math.min(box.left, innerWidth - menu.offsetWidth - GAP))}px`;
}

// Without case and accents.
function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().trim();
}

function create(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}
