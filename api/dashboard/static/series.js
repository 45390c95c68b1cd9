// The training series by column, rising in images seen, each place once.

export class Series {
  constructor() {
    this.images = [];
    this.columns = new Map();
  }

  // What /v1/jobs/{id}/metrics answers.
  load({ images_seen, series }) {
    this.images = images_seen;
    this.columns = new Map(Object.entries(series));
  }

  // A tick; one that a resumed run reaches again replaces the old one.
  put(images, values) {
    const place = this.#place(images);
    if (this.images[place] !== images) {
      this.images.splice(place, 0, images);
      for (const column of this.columns.values()) column.splice(place, 0, null);
    }
    for (const [name, value] of Object.entries(values)) {
      if (!this.columns.has(name)) this.columns.set(name, this.images.map(() => null));
      this.columns.get(name)[place] = value;
    }
  }

  // Ticks nearly always come in order: the search begins at the end.
  #place(images) {
    let place = this.images.length;
    while (place > 0 && this.images[place - 1] >= images) place -= 1;
    return place;
  }
}
