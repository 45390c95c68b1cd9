// Fetches this very page again and brings its live regions ([data-live]) up to date; then the document hears "refreshed".

import { morph } from "./morph.js";

export async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (answer.redirected || answer.status === 404) {
    location.reload(); // signed out, or the job was deleted: the server shows what to do
    return;
  }
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const region of document.querySelectorAll("[data-live]")) {
    const wanted = fresh.getElementById(region.id);
    if (wanted) morph(region, wanted);
  }
  document.dispatchEvent(new Event("refreshed"));
}

const STEP_MS = 500;

// Refreshes again and again; `pause` says for how many milliseconds to wait. It is asked at every step, since a click may
// shorten the wait. A hidden page rests.
export async function keepFresh(pause) {
  let waited = 0;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    waited += STEP_MS;
    if (document.hidden || waited < pause()) continue;
    waited = 0;
    try {
      await refresh();
    } catch (error) {
      console.warn("not refreshed:", error.message); // the server is away: the next turn tries again
    }
  }
}
