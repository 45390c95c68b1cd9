// The page of one job: draws what there is, then follows the events.

import { install } from "./actions.js";
import { Curves } from "./curves.js";
import { keepFresh, refresh } from "./refresh.js";
import { Samples } from "./samples.js";
import { Series } from "./series.js";
import { Stream } from "./stream.js";

const POINTS = 1000;
const REFRESH_MS = 1_000;
const IDLE_MS = 30_000; // relative times grow old
const ENDED = new Set(["succeeded", "diverged", "failed", "cancelled"]);

const page = JSON.parse(document.getElementById("page-data").textContent);
const address = `/v1/jobs/${page.job_id}`;
const series = new Series();
const curves = new Curves(document.getElementById("curves"), { series, ...page });
const samples = new Samples(document.getElementById("samples"));
const head = document.getElementById("head");
const live = document.getElementById("live");
const stream = new Stream(`${address}/events`, { after: page.last_event_id, onEvent: take, onState: showState });
let refreshing = null;
let arriving = null; // the ticks that come while the series is fetched
let stale = false; // a resumed run goes over old ground, and overwrites its ticks without a word

function take(event) {
  if (event.type === "metrics") takeTick(event);
  if (event.type === "evaluation") {
    page.evaluations.push({ images_seen: event.images_seen, ...event.data });
    draw();
  }
  if (event.type === "checkpoint") samples.load();
  if (event.type === "guard" || event.type === "state") stale = true;
  if (event.type === "state" && ENDED.has(event.data.status)) {
    stream.close();
    showState("ended");
  }
  refreshing ??= setTimeout(async () => {
    refreshing = null;
    await refresh().catch((error) => console.warn("not refreshed:", error.message));
  }, REFRESH_MS);
}

function takeTick(tick) {
  if (arriving) arriving.push(tick);
  else if (stale) loadSeries();
  else {
    series.put(tick.images_seen, tick.data);
    draw();
  }
}

async function loadSeries() {
  stale = false;
  arriving = [];
  const answer = await fetch(`${address}/metrics?points=${POINTS}`).catch(() => null);
  if (answer?.ok) series.load(await answer.json());
  else stale = true;
  for (const tick of arriving) series.put(tick.images_seen, tick.data);
  arriving = null;
  if (series.images.length || page.evaluations.length) draw();
}

function draw() {
  document.getElementById("no-curves").hidden = true;
  curves.drawSoon();
}

function showState(state) {
  live.dataset.state = state;
  live.textContent = { live: "live", reconnecting: "reconnecting…", ended: "" }[state];
}

// A job that has ended may be tried again. A page from before its end, which comes late, does not say so.
function follow() {
  const { status, lastEvent } = head.dataset;
  if (!stream.following && !ENDED.has(status) && Number(lastEvent) > stream.last) stream.open();
}

async function begin() {
  install(document.getElementById("fault"));
  if ("ready" in document.getElementById("samples").dataset) samples.load();
  await loadSeries();
  if (!page.ended) stream.open();
  document.addEventListener("refreshed", follow);
  keepFresh(() => (document.querySelector("#evaluations [data-awaited]") ? REFRESH_MS : IDLE_MS));
}

begin();
