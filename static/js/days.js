// Keeps the days in the list of conversations right. The server names them in its own time zone (live/periods.py);
// the reader may be in another one, rows move, and days end.

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const PERIODS = [[1, "Today"], [2, "Yesterday"], [8, "Previous 7 days"], [31, "Previous 30 days"]];

const month = new Intl.DateTimeFormat("en", { month: "long" });
const monthOfYear = new Intl.DateTimeFormat("en", { month: "long", year: "numeric" });
const list = document.getElementById("conversations");

if (list) {
  nameDays();
  // Rows move, and a replaced row has lost its name.
  new MutationObserver(nameDays).observe(list, { childList: true, attributeFilter: ["data-active", "data-day"], subtree: true });
  setInterval(nameDays, MINUTE);
}

// The first row of each period has its name.
function nameDays() {
  let last = "";
  for (const row of list.querySelectorAll(".conversation-row")) {
    const period = nameOf(new Date(row.dataset.active));
    const name = period === last ? undefined : period;
    if (row.dataset.day !== name) name ? row.setAttribute("data-day", name) : row.removeAttribute("data-day");
    last = period;
  }
}

function nameOf(moment) {
  const today = new Date();
  // A day with a change of the clock is not as long as the others.
  const days = Math.round((startOfDay(today) - startOfDay(moment)) / DAY);
  const [, name] = PERIODS.find(([limit]) => days < limit) ?? [];
  return name ?? (moment.getFullYear() === today.getFullYear() ? month : monthOfYear).format(moment);
}

function startOfDay(moment) {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
}
