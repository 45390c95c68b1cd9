// The newest sample grid, with what the answer says of the checkpoint that it was drawn from.

export class Samples {
  #shown = null; // ETag
  #wanted = 0;

  constructor(figure) {
    this.url = figure.dataset.url;
    this.image = figure.querySelector("img");
    this.caption = figure.querySelector("figcaption");
  }

  async load() {
    const turn = ++this.#wanted;
    let answer;
    try {
      answer = await fetch(this.url);
    } catch {
      this.caption.textContent = "The samples could not be fetched: the server is away.";
      return;
    }
    if (turn !== this.#wanted) return; // a newer checkpoint came meanwhile
    if (!answer.ok) {
      this.caption.textContent = (await answer.json()).detail;
      return;
    }
    if (answer.headers.get("ETag") === this.#shown) return;
    this.#shown = answer.headers.get("ETag");
    const before = this.image.src;
    this.image.src = URL.createObjectURL(await answer.blob());
    this.image.hidden = false;
    if (before) URL.revokeObjectURL(before);
    const images = Number(answer.headers.get("Saddle-Images-Seen")).toLocaleString("en-US");
    this.caption.textContent = `${answer.headers.get("Saddle-Checkpoint")} · ${images} images seen`;
  }
}
