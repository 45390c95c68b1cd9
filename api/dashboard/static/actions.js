// Buttons that change something: each sends, and shows what came of it. One that would lose something asks first, in a
// <dialog>.

import { refresh } from "./refresh.js";

export function install(fault) {
  // Delegated: the buttons come and go with the job's state.
  document.addEventListener("click", (click) => {
    const button = click.target.closest("[data-asks]");
    if (button) document.getElementById(button.dataset.asks).showModal();
    const order = click.target.closest("button[data-url]");
    if (order) send(order.dataset, fault);
  });
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "yes") send(dialog.querySelector("form").dataset, fault);
      dialog.returnValue = "";
    });
  }
}

let sending = false; // a second click means the first

async function send({ method, url, then, body }, fault) {
  if (sending) return;
  sending = true;
  fault.hidden = true;
  try {
    const headers = body ? { "Content-Type": "application/json" } : {};
    const answer = await fetch(url, { method, body, headers });
    if (!answer.ok) throw new Error((await answer.json()).detail);
    if (then) location.assign(then);
    else await refresh();
  } catch (error) {
    fault.textContent = error.message;
    fault.hidden = false;
  } finally {
    sending = false;
  }
}
