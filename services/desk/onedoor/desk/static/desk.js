"use strict";
// The pages work by forms and fragments; this file adds keys, dialogs and the signal that something changed.

const LATER = 30_000;
const body = document.body;
const say = (name) => body.dispatchEvent(new CustomEvent(name));

// --- live: the server says only "changed"; htmx reads the fragment again, which is checked for permission
let source = null;
let watched = null;

function watch() {
  const live = [...document.querySelectorAll("[data-live]")].map((element) => element.dataset.live);
  const chain = live.length && live.every((id) => id && id === live[0]) ? live[0] : "";
  const address = live.length ? `/events${chain ? `?chain=${chain}` : ""}` : null;
  if (address === watched) return;
  if (source) source.close();
  watched = address;
  source = address ? new EventSource(address) : null;
  if (!source) return;
  source.addEventListener("ready", () => {
    document.getElementById("lost").hidden = true;
    say("desk-changed"); // what came since the page was written was told to nobody here
  });
  source.addEventListener("changed", () => say("desk-changed"));
  source.addEventListener("error", () => { document.getElementById("lost").hidden = false; });
}

setInterval(() => say("desk-changed"), LATER);

// --- dialogs
const dialog = document.getElementById("dialog");
body.addEventListener("htmx:after:swap", (event) => {
  const filled = document.getElementById("dialog-body");
  if (filled.firstElementChild && event.detail?.ctx?.target === filled && !dialog.open) {
    dialog.showModal();
    (filled.querySelector("[autofocus]") ?? filled.querySelector("button"))?.focus();
  }
  settle();
});
body.addEventListener("desk-done", close);
body.addEventListener("click", (event) => { if (event.target.closest("[data-close]")) close(); });
dialog.addEventListener("close", () => document.getElementById("dialog-body").replaceChildren());
function close() { if (dialog.open) dialog.close(); }

// --- what has to be done after every swap
function settle() {
  watch();
  draw();
  const focus = document.querySelector("[data-focus]");
  if (focus) { focus.removeAttribute("data-focus"); focus.focus(); }
}

// --- the request form: what will happen is worked out again after each change
function told(event) { if (event.target.closest?.("#request.console:not(.done)")) say("desk-form"); }
body.addEventListener("input", told);
body.addEventListener("change", told);
body.addEventListener("click", async (event) => {
  const more = event.target.closest("[data-more]");
  if (!more) return;
  const into = document.querySelector(more.dataset.into);
  const answer = await fetch(more.dataset.more + into.children.length, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return;
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  into.append(...parsed.body.children);
  into.lastElementChild.querySelector("input")?.focus();
});

// --- keys
const typing = (element) => element.closest("input:not([type=checkbox]):not([type=radio]), textarea, select");
document.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.altKey && !event.ctrlKey && !event.metaKey) {
    const digit = /^Digit(\d)$/.exec(event.code)?.[1];
    const chip = digit && document.querySelector(`[data-alt="${digit}"]`);
    if (chip) { event.preventDefault(); chip.click(); chip.focus(); }
    if (event.code === "KeyN" && document.querySelector("#request.done")) {
      event.preventDefault();
      location.assign("/console");
    }
    return;
  }
  if (event.ctrlKey && event.key === "Enter") {
    const form = event.target.closest("form") ?? document.getElementById("request");
    if (form?.requestSubmit) { event.preventDefault(); form.requestSubmit(); }
    return;
  }
  const field = document.querySelector(`[data-key="${event.key}"]`);
  if (field) { event.preventDefault(); field.focus(); return; }
  if (event.key === "/" && !typing(event.target) && !dialog.open) {
    const find = document.getElementById("find");
    if (find) { event.preventDefault(); find.focus(); }
  }
});

// --- small charts of the stream page
function draw() {
  if (!window.uPlot) return;
  for (const place of document.querySelectorAll(".spark")) {
    const points = place.dataset.points ? place.dataset.points.split(",").map(Number) : [];
    if (place.dataset.drawn === place.dataset.points || points.length < 2) continue;
    place.dataset.drawn = place.dataset.points;
    const colour = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
    const options = {
      width: 150, height: 28, cursor: { show: false }, legend: { show: false },
      axes: [{ show: false }, { show: false }],
      scales: { x: { time: false }, y: { range: (_, least, most) => [0, Math.max(most, 1)] } },
      series: [{}, { stroke: colour, width: 1.5, points: { show: false } }],
      padding: [2, 0, 2, 0],
    };
    place.replaceChildren();
    new window.uPlot(options, [points.map((_, index) => index), points], place);
  }
}

// --- a share (0 to 1) by month
function course() {
  if (!window.uPlot) return;
  for (const place of document.querySelectorAll(".course")) {
    const labels = place.dataset.labels.split(","), shares = place.dataset.points.split(",").map(Number);
    const colour = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
    const options = {
      width: place.clientWidth || 360, height: 150, legend: { show: false },
      scales: { x: { time: false, range: [-0.3, labels.length - 0.7] }, y: { range: [0, 1] } },
      axes: [
        { splits: () => labels.map((_, index) => index), values: (_, at) => at.map(index => labels[index].slice(5)) },
        { values: (_, shares) => shares.map(share => `${Math.round(share * 100)} %`), size: 48 },
      ],
      series: [{}, { stroke: colour, width: 2, points: { show: true, size: 6 } }],
    };
    new window.uPlot(options, [labels.map((_, index) => index), shares], place);
  }
}

course();
settle();
