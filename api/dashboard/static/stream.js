// Follows a job's events. After a broken connection it goes on behind the last event that came.

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const TYPES = ["state", "metrics", "checkpoint", "samples", "evaluation", "guard", "log"];

export class Stream {
  #pause = FIRST_PAUSE_MS;
  #source = null;

  // `onEvent` gets each event once, `onState` "live" or "reconnecting".
  constructor(url, { after, onEvent, onState }) {
    this.url = url;
    this.last = after;
    this.following = false;
    this.onEvent = onEvent;
    this.onState = onState;
  }

  // Also again, after a close.
  open() {
    this.following = true;
    this.#connect();
  }

  close() {
    this.following = false;
    this.#source?.close();
  }

  #connect() {
    this.#source?.close();
    this.#source = new EventSource(`${this.url}?after=${this.last}`);
    this.#source.onopen = () => {
      this.#pause = FIRST_PAUSE_MS;
      this.onState("live");
    };
    // The browser would connect again by itself, but with this address and so from its old place.
    this.#source.onerror = () => {
      this.#source.close();
      this.onState("reconnecting");
      setTimeout(() => this.following && this.#connect(), this.#pause);
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    };
    for (const type of TYPES) this.#source.addEventListener(type, (message) => this.#take(message));
  }

  #take(message) {
    const event = JSON.parse(message.data);
    if (event.id <= this.last) return;
    this.last = event.id;
    this.onEvent(event);
  }
}
