"use strict";

const AROUND_S = 3; // pictures before and after an end
const LEAD_S = 2; // that is played before and after the stretch
const SETTLED_MS = 150; // without a move, before pictures are requested

const byId = (id) => document.getElementById(id);
const video = byId("video");
const fieldsets = {};
for (const one of document.querySelectorAll("fieldset")) fieldsets[one.dataset.end] = one;

let state = null; // as the server sends it
let doubt = null; // the one on the page
let times = { start: 0, end: 0 }; // s
let chosen = "start";
let busy = false;
let playUntil = null; // s
let pictures = new Map(); // of this episode: second to data URI, or null where there is none
let loading = null;
let waiting = 0;

// --- words ---

function clock(second) {
  const thousandths = Math.round(second * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const whole = Math.floor(thousandths / 1000);
  const rest = String(thousandths % 1000).padStart(3, "0").replace(/0+$/, "");
  const text = `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return rest ? `${text}.${rest}` : text;
}

const round = (second) => Math.round(second * 1000) / 1000;
const span = (interval) =>
  interval
    ? `${clock(interval[0])} to ${clock(interval[1])} (${round(interval[1] - interval[0])} s)`
    : "no intro";
const spans = (first, further = []) => [first, ...further].map(span).join(", ");
const decided = ({ start_s, end_s, further, reason }) =>
  `${spans(start_s === null ? null : [start_s, end_s], further)}: ${reason}`;

function say(text) {
  byId("status").textContent = text;
}

function complain(text) {
  byId("fault").textContent = text;
  byId("fault").hidden = !text;
}

// --- requests to the server ---

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error(
      "The server does not respond. What you decided is written; start `skipintro review` again " +
        "and load this page again.",
    );
  }
  const content = await response.json();
  if (response.ok) return content;
  const error = new Error(content.error);
  error.status = response.status;
  throw error;
}

function take(received, keepTimes = false) {
  state = received;
  const open = state.doubts.filter((one) => one.open);
  const n = state.doubts.length;
  const skipped = open.filter((one) => one.skipped).length;
  byId("progress").textContent =
    `${n - open.length} of ${n} decided` + (skipped ? `, ${skipped} skipped` : "");
  document.title = open.length ? `(${open.length}) Review labels` : "Review labels";
  for (const one of document.querySelectorAll(".overrides")) one.textContent = state.overrides;
  byId("card").hidden = !open.length;
  byId("end-of-all").hidden = open.length > 0;
  for (const one of document.querySelectorAll("[data-act=undo]")) one.disabled = !state.last;
  if (!open.length) leave();
  else if (keepTimes && doubt && doubt.id === open[0].id) show(open[0], times);
  else show(open[0], null);
}

function leave() {
  doubt = null;
  pictures = new Map(); // those that still come are of no use
  loading?.abort();
  video.removeAttribute("src");
  video.load();
  byId("end-title").focus();
}

function show(one, chosenTimes) {
  const isOther = !doubt || doubt.id !== one.id;
  doubt = one;
  byId("id").textContent = doubt.id;
  byId("series").textContent = doubt.series;
  byId("splits").textContent = doubt.splits.join(", ") + (doubt.skipped ? ", skipped before" : "");
  byId("reasons").replaceChildren(
    ...doubt.reasons.map((reason) => {
      const item = document.createElement("li");
      item.dir = "auto";
      item.textContent = reason;
      return item;
    }),
  );
  byId("label").textContent = doubt.usable ? spans(doubt.label, doubt.further) : "cannot be used";
  const sure = doubt.confidence === null ? "" : `, confidence ${doubt.confidence.toFixed(2)}`;
  byId("proposal").textContent = doubt.proposal ? span(doubt.proposal) + sure : "no proposal";
  byId("decided").hidden = !doubt.decision;
  if (doubt.decision) byId("decision").textContent = decided(doubt.decision);
  act("propose").disabled = !doubt.proposal;
  act("relabel").disabled = !doubt.label;
  act("accept").disabled = !doubt.usable;
  for (const end of ["start", "end"]) byId(end).max = doubt.n_seconds;
  draw("rect.track", [0, doubt.n_seconds]);
  draw("rect.label", doubt.label);
  draw("rect.proposal", doubt.proposal);
  byId("timeline").setAttribute("viewBox", `0 0 ${doubt.n_seconds} 30`);
  if (isOther) {
    pictures = new Map();
    playUntil = null;
    video.hidden = false;
    byId("unplayable").hidden = true;
    byId("reason").value = "";
    video.src = `/videos/${encodeURIComponent(doubt.id)}`;
  }
  times = chosenTimes ?? beginning();
  choose("start");
  seek(times.start);
  update();
  if (!chosenTimes) byId("id").focus();
}

// The times to begin with: those of the decision, the label or the detector.
function beginning() {
  const { decision, label, proposal, n_seconds } = doubt;
  const has = decision && decision.start_s !== null;
  const [start, end] = (has && [decision.start_s, decision.end_s]) || label || proposal || [0, 10];
  return { start: Math.min(start, n_seconds), end: Math.min(end, n_seconds) };
}

// --- the two ends ---

function draw(selector, interval) {
  const rect = byId("timeline").querySelector(selector);
  const [from, to] = interval && interval[0] < interval[1] ? interval : [0, 0];
  rect.setAttribute("x", from);
  rect.setAttribute("width", to - from);
}

function choose(end) {
  chosen = end;
  for (const [name, fieldset] of Object.entries(fieldsets)) {
    fieldset.classList.toggle("chosen", name === end);
  }
}

function move(end, second) {
  times[end] = round(Math.max(0, Math.min(doubt.n_seconds, second)));
  choose(end);
  seek(times[end]);
  update();
}

function seek(second) {
  video.pause();
  video.currentTime = second;
}

function update() {
  for (const end of ["start", "end"]) {
    byId(end).value = times[end];
    byId(end).setAttribute("aria-valuetext", clock(times[end]));
    byId(`${end}-time`).textContent = clock(times[end]);
  }
  const length = round(times.end - times.start);
  byId("choice").textContent =
    length > 0 ? span([times.start, times.end]) : "the start does not lie before the end";
  draw("rect.choice", [times.start, times.end]);
  paint();
  clearTimeout(waiting);
  waiting = setTimeout(fetchPictures, SETTLED_MS);
}

function secondsAround(end) {
  return [...fieldsets[end].querySelectorAll("li")].map((_, index) =>
    round(times[end] + index - AROUND_S),
  );
}

const isInside = (second) => second >= 0 && second < doubt.n_seconds;

function paint() {
  for (const end of ["start", "end"]) {
    const seconds = secondsAround(end);
    fieldsets[end].querySelectorAll("li").forEach((item, index) => {
      const second = seconds[index];
      const button = item.querySelector("button");
      const image = item.querySelector("img");
      const uri = pictures.get(second);
      item.classList.toggle("inside", second >= times.start && second < times.end);
      item.classList.toggle("at", second === times[end]);
      item.classList.toggle("loading", isInside(second) && uri === undefined);
      button.disabled = !isInside(second);
      button.setAttribute("aria-label", `${end} at ${clock(Math.max(0, second))}`);
      item.querySelector("span").textContent = isInside(second) ? clock(second) : "";
      image.hidden = !uri;
      if (uri) image.src = uri;
      else image.removeAttribute("src");
    });
  }
}

// Request the pictures that are not there yet, those of the chosen end first.
async function fetchPictures() {
  loading?.abort();
  loading = new AbortController();
  const { signal } = loading;
  for (const end of [chosen, chosen === "start" ? "end" : "start"]) {
    if (doubt && !signal.aborted) await fetchStrip(end, signal);
  }
}

async function fetchStrip(end, signal) {
  const [id, into] = [doubt.id, pictures];
  const missing = secondsAround(end).filter((second) => isInside(second) && !into.has(second));
  if (!missing.length) return;
  const query = missing.map((second) => `at=${second}`).join("&");
  try {
    const received = await ask(`/pictures/${encodeURIComponent(id)}?${query}`, { signal });
    missing.forEach((second, index) => {
      into.set(second, received[index] && `data:image/jpeg;base64,${received[index]}`);
    });
    byId("no-pictures").hidden = true;
  } catch (error) {
    if (signal.aborted) return;
    byId("no-pictures").textContent = error.message;
    byId("no-pictures").hidden = false;
  }
  if (into === pictures) paint();
}

// --- the video ---

function play() {
  if (!video.paused) {
    video.pause();
    return;
  }
  video.currentTime = Math.max(0, times.start - LEAD_S);
  playUntil = times.end + LEAD_S;
  video.play().catch(() => {});
}

video.addEventListener("timeupdate", () => {
  if (playUntil !== null && video.currentTime >= playUntil) video.pause();
});
video.addEventListener("pause", () => {
  playUntil = null;
});
video.addEventListener("error", () => {
  if (!video.getAttribute("src")) return;
  video.hidden = true;
  byId("unplayable").hidden = false;
});

// --- decisions ---

async function decide(kind, id) {
  if (busy) return;
  busy = true;
  const one = state.doubts.find((other) => other.id === id);
  const body = { id, kind, seen: one.decision };
  if (kind === "correct") Object.assign(body, { start_s: times.start, end_s: times.end });
  if (["accept", "correct", "no_intro"].includes(kind)) body.reason = byId("reason").value;
  try {
    const received = await ask("/decisions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    complain("");
    const now = received.doubts.find((other) => other.id === id);
    const words = {
      skip: `${id}: skipped`,
      undo: `${id}: taken back`,
    };
    say(words[kind] ?? `${id}: ${decided(now.decision)}. Written.`);
    doubt = null;
    take(received);
  } catch (error) {
    complain(error.message);
    if (error.status === 409) await load(true);
  } finally {
    busy = false;
  }
}

async function load(keepTimes) {
  try {
    take(await ask("/doubts"), keepTimes);
  } catch (error) {
    complain(error.message);
  }
}

const act = (name) => document.querySelector(`[data-act=${name}]`);
const takeTimes = (interval) => {
  times = { start: interval[0], end: interval[1] };
  seek(times[chosen]);
  update();
};
const acts = {
  accept: () => doubt && decide("accept", doubt.id),
  correct: () => doubt && decide("correct", doubt.id),
  no_intro: () => doubt && decide("no_intro", doubt.id),
  skip: () => doubt && decide("skip", doubt.id),
  remove: () => doubt && decide("undo", doubt.id),
  undo: () => (state && state.last ? decide("undo", state.last) : say("Nothing to take back.")),
  propose: () => doubt && doubt.proposal && takeTimes(doubt.proposal),
  relabel: () => doubt && doubt.label && takeTimes(doubt.label),
  other: () => doubt && choose(chosen === "start" ? "end" : "start"),
  play: () => doubt && play(),
  "start-here": () => doubt && move("start", Math.round(video.currentTime)),
  "end-here": () => doubt && move("end", Math.round(video.currentTime)),
  help: () => byId("help").showModal(),
};

for (const button of document.querySelectorAll("[data-act]")) {
  button.addEventListener("click", () => acts[button.dataset.act]());
}
for (const [end, fieldset] of Object.entries(fieldsets)) {
  byId(end).addEventListener("input", () => move(end, Number(byId(end).value)));
  byId(end).addEventListener("focus", () => choose(end));
  fieldset.querySelectorAll("li button").forEach((button, index) => {
    button.addEventListener("click", () => move(end, secondsAround(end)[index]));
  });
}

// --- keys ---

const keys = {
  a: "accept", c: "correct", n: "no_intro", s: "skip", u: "undo", p: "propose", l: "relabel",
  e: "other", i: "start-here", o: "end-here", "?": "help",
};
const decisive = new Set(["accept", "correct", "no_intro", "skip", "undo"]);
const steps = { ArrowLeft: -1, ArrowRight: 1, ",": -0.1, ".": 0.1 };

// The letter of a key, also where the keyboard writes another alphabet.
function letter(event) {
  const isOther = event.key.length === 1 && event.key > "\u007f";
  return (isOther ? event.code.replace(/^Key/, "") : event.key).toLowerCase();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const { target } = event;
  if (target.matches("input[type=text]")) return;
  const step = steps[event.key];
  if (step !== undefined) {
    if (!doubt || target === video) return;
    event.preventDefault();
    move(chosen, times[chosen] + step * (event.shiftKey ? 5 : 1));
    return;
  }
  if (event.key === " ") {
    if (target.matches("button, video")) return;
    event.preventDefault();
    acts.play();
    return;
  }
  const name = keys[letter(event)];
  if (name === undefined || (event.repeat && decisive.has(name))) return;
  if (act(name)?.disabled) return;
  event.preventDefault();
  acts[name]();
});

load(false);
