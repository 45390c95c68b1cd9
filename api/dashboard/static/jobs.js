// The list of jobs: often refreshed while one of them is active, seldom otherwise.

import { keepFresh } from "./refresh.js";

const ACTIVE_MS = 2_000;
const IDLE_MS = 10_000;

keepFresh(() => (document.getElementById("jobs").hasAttribute("data-active") ? ACTIVE_MS : IDLE_MS));
