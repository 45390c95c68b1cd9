// One dataset: refreshed while it is imported, and loaded anew when that has ended, for the report and the pictures.

import { install } from "./actions.js";
import { keepFresh } from "./refresh.js";

const ACTIVE_MS = 1_000;
const IDLE_MS = 10_000;
const state = document.getElementById("state");
const wasActive = state.hasAttribute("data-active");

install(document.getElementById("fault"));
document.addEventListener("refreshed", () => {
  if (wasActive && !state.hasAttribute("data-active")) location.reload();
});
keepFresh(() => (state.hasAttribute("data-active") ? ACTIVE_MS : IDLE_MS));
