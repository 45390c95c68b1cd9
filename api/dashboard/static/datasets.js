// The list of datasets, and the form that uploads a file.

import { keepFresh } from "./refresh.js";

const ACTIVE_MS = 1_000;
const IDLE_MS = 10_000;

const form = document.getElementById("upload");
if (form) install(form);
keepFresh(() => (document.getElementById("datasets").hasAttribute("data-active") ? ACTIVE_MS : IDLE_MS));

function install(form) {
  const [drop, file, chosen, name, fault, sent] = ["drop", "file", "chosen", "name", "fault", "sent"].map((id) =>
    document.getElementById(id),
  );

  file.addEventListener("change", () => {
    const picked = file.files[0];
    if (!picked) return;
    chosen.textContent = picked.name;
    if (!name.value) name.value = picked.name.replace(/(\.tar)?\.[a-z0-9]+$/i, "");
  });
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    file.files = event.dataTransfer.files;
    file.dispatchEvent(new Event("change"));
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    fault.hidden = true;
    const picked = file.files[0];
    if (picked.size > Number(form.dataset.limit)) {
      complain(`the file is larger than ${Number(form.dataset.limit).toLocaleString("en")} bytes`);
      return;
    }
    const body = new FormData();
    body.append("name", name.value);
    body.append("options", JSON.stringify(options()));
    body.append("file", picked); // last, so that the server knows what it is for when it arrives
    send(body);
  });

  function options() {
    const value = (id) => document.getElementById(id).value;
    const wishes = { fit: value("fit"), labels: value("labels"), flips_natural: document.getElementById("flips").checked };
    if (value("resolution")) wishes.resolution = Number(value("resolution"));
    return wishes;
  }

  function send(body) {
    const button = form.querySelector("button");
    button.disabled = true;
    sent.hidden = false;
    const request = new XMLHttpRequest(); // fetch tells nothing of an upload's progress
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) sent.value = event.loaded / event.total;
    });
    request.addEventListener("load", () => {
      if (request.status === 202) location.assign(`/datasets/${JSON.parse(request.responseText).id}`);
      else complain(detail(request));
    });
    request.addEventListener("error", () => complain("the upload was cut off"));
    request.addEventListener("loadend", () => {
      button.disabled = false;
      sent.hidden = true;
    });
    request.open("POST", "/v1/datasets");
    request.send(body);
  }

  function detail(request) {
    try {
      return JSON.parse(request.responseText).detail;
    } catch {
      return `the server answered ${request.status}`;
    }
  }

  function complain(text) {
    fault.textContent = text;
    fault.hidden = false;
  }
}
