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

// Refreshes again and again; `pause` says for how many milliseconds to wait. A hidden page rests.
export async function keepFresh(pause) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, pause()));
    if (document.hidden) continue;
    try {
      await refresh();
    } catch (error) {
      console.warn("not refreshed:", error.message); // the server is away: the next turn tries again
    }
  }
}
