"use strict";

const byId = (id) => document.getElementById(id);

// --- comparison: one table a part ---

const tables = [...document.querySelectorAll(".table")];
function showTable() {
  for (const table of tables) table.hidden = table.dataset.slice !== byId("slice").value;
}
byId("slice").addEventListener("change", showTable);

// --- episodes: order and choice ---

const list = byId("episodes");
const rows = [...list.children];
const rank = (row) => Number(row.dataset.rank);
// Episodes without a confidence come last, whichever way.
const confidence = (row, missing) =>
  row.dataset.confidence === "" ? missing : Number(row.dataset.confidence);
const orders = {
  error: () => 0,
  series: (a, b) => a.dataset.series.localeCompare(b.dataset.series),
  confident: (a, b) => confidence(b, -1) - confidence(a, -1),
  doubtful: (a, b) => confidence(a, 2) - confidence(b, 2),
};

function sortRows() {
  const order = orders[byId("sort").value];
  list.append(...[...rows].sort((a, b) => order(a, b) || rank(a) - rank(b)));
}

function chooseRows() {
  const series = byId("series").value;
  const part = byId("part").value;
  let shown = 0;
  for (const row of rows) {
    const fits =
      (series === "" || row.dataset.series === series) &&
      (part === "" || row.dataset.parts.split(" ").includes(part)) &&
      (!byId("only-failures").checked || row.dataset.failure === "1");
    row.hidden = !fits;
    shown += fits;
  }
  byId("count").textContent = `${shown} of ${rows.length} episodes`;
  byId("none").hidden = shown > 0;
}

byId("sort").addEventListener("change", sortRows);
for (const id of ["series", "part", "only-failures"]) {
  byId(id).addEventListener("change", chooseRows);
}
byId("reset").addEventListener("click", () => {
  byId("series").value = byId("part").value = "";
  byId("only-failures").checked = false;
  chooseRows();
});

// --- timelines: what a second tells ---

function clock(second) {
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(second / 3600);
  const minutes = Math.floor(second / 60) % 60;
  return hours
    ? `${hours}:${two(minutes)}:${two(second % 60)}`
    : `${minutes}:${two(second % 60)}`;
}

// The probability of every second in percent, read back from the path that draws it.
const read = new WeakMap();
function percents(timeline) {
  if (!read.has(timeline)) {
    const found = [];
    let percent = 0;
    const path = timeline.querySelector(".curve")?.getAttribute("d") ?? "";
    for (const [, step, number] of path.matchAll(/([hv])(-?\d+)/g)) {
      if (step === "v") percent -= Number(number);
      else found.push(...Array(Number(number)).fill(percent));
    }
    read.set(timeline, found);
  }
  return read.get(timeline);
}

function point(timeline, wanted) {
  const last = Number(timeline.dataset.seconds) - 1;
  const second = Math.max(0, Math.min(last, wanted));
  const percent = percents(timeline)[second];
  const told =
    percent === undefined ? clock(second) : `${clock(second)}, probability ${(percent / 100).toFixed(2)}`;
  const cursor = timeline.querySelector(".cursor");
  cursor.removeAttribute("hidden");
  cursor.setAttribute("d", `M${second + 0.5},0v136`);
  timeline.parentNode.querySelector(".readout").textContent = told;
  timeline.setAttribute("aria-valuenow", second);
  timeline.setAttribute("aria-valuetext", told);
}

function leave(timeline) {
  timeline.querySelector(".cursor").setAttribute("hidden", "");
  timeline.parentNode.querySelector(".readout").textContent = "";
}

// The seconds that a timeline shows.
function shownRange(timeline) {
  const box = timeline.viewBox.baseVal;
  return [box.x, box.x + box.width];
}

function zoom(timeline, around) {
  const [from, to] = around
    ? timeline.dataset.around.split(" ").map(Number)
    : [0, Number(timeline.dataset.seconds)];
  const height = timeline.viewBox.baseVal.height;
  timeline.setAttribute("viewBox", `${from} 0 ${to - from} ${height}`);
  for (const shared of timeline.parentNode.querySelectorAll(".shared")) {
    shared.setAttribute("viewBox", `${from} 0 ${to - from} 100`);
  }
  const scale = timeline.parentNode.querySelector(".scale");
  scale.querySelector(".from").textContent = clock(from);
  scale.querySelector(".to").textContent = clock(to);
}

const keys = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

for (const timeline of document.querySelectorAll(".timeline")) {
  timeline.addEventListener("pointermove", (event) => {
    const box = timeline.getBoundingClientRect();
    const [from, to] = shownRange(timeline);
    point(timeline, Math.floor(from + ((event.clientX - box.left) / box.width) * (to - from)));
  });
  timeline.addEventListener("pointerleave", () => {
    if (document.activeElement !== timeline) leave(timeline);
  });
  timeline.addEventListener("focus", () => {
    const second = Number(timeline.getAttribute("aria-valuenow"));
    point(timeline, Math.max(second, shownRange(timeline)[0]));
  });
  timeline.addEventListener("blur", () => leave(timeline));
  timeline.addEventListener("keydown", (event) => {
    const second = Number(timeline.getAttribute("aria-valuenow"));
    const [from, to] = shownRange(timeline);
    const ends = { Home: from, End: to - 1 };
    const wanted = event.key in keys ? second + keys[event.key] : ends[event.key];
    if (wanted === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    point(timeline, Math.max(from, Math.min(to - 1, wanted)));
  });
}
byId("zoom").addEventListener("change", () => {
  const around = byId("zoom").value === "around";
  for (const timeline of document.querySelectorAll(".timeline")) zoom(timeline, around);
});

// A browser may keep what was chosen before the page was loaded again.
showTable();
sortRows();
chooseRows();
byId("zoom").dispatchEvent(new Event("change"));
