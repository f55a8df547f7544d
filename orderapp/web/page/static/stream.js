/* The worker's server-sent events, read with fetch: unlike EventSource it shows heartbeats, so
   a connection that died without a word is noticed, and an error's status and text. */

import { problemOf } from "./api.js";

/** Heartbeats come every 10 s. */
const SILENCE_MS = 20_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** A browser has six connections to a host, for all its tabs: those that nobody looks at give
    theirs back. */
const HIDDEN_MS = 15_000;

/** Splits the text of a stream into events; `feed` gives those that are complete. */
class Parser {
  #rest = "";

  *feed(text) {
    const blocks = (this.#rest + text.replaceAll("\r", "")).split("\n\n");
    this.#rest = blocks.pop();
    for (const block of blocks) {
      const event = { event: "message", data: [], id: null };
      for (const line of block.split("\n")) {
        const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
        if (name === "data") event.data.push(value);
        else if (name === "event" || name === "id") event[name] = value;
      }
      yield { ...event, data: event.data.join("\n") };
    }
  }
}

/** Keeps one stream open. Calls `onOpen()`, `onEvent(name, data)`, `onHeard()` for every sign
    of life, and `onLost(detail)` after each failure. Rests while the page is hidden. */
export class Stream {
  #path;
  #on;
  #lastId = null;
  #failures = 0;
  #wake = () => {};
  #silence = 0;
  #controller = null;
  #resting = false;
  #hidden = 0;

  constructor(path, handlers) {
    this.#path = path;
    this.#on = handlers;
    addEventListener("online", () => this.retry());
    document.addEventListener("visibilitychange", () => this.#look());
    this.#look();
  }

  async run() {
    for (;;) {
      const detail = this.#resting ? null : await this.#read();
      if (this.#resting) {
        await this.#woken();
        continue;
      }
      this.#failures += 1;
      this.#on.onLost(detail);
      await this.#wait();
    }
  }

  /** Do not wait any longer for the next attempt. */
  retry() {
    this.#wake();
  }

  #look() {
    clearTimeout(this.#hidden);
    if (document.hidden) {
      this.#hidden = setTimeout(() => this.#rest(), HIDDEN_MS);
      return;
    }
    this.#resting = false;
    this.retry();
  }

  #rest() {
    this.#resting = true;
    this.#controller?.abort();
    this.#wake();
  }

  async #read() {
    const controller = new AbortController();
    this.#controller = controller;
    try {
      this.#watch(controller);
      const headers = { Accept: "text/event-stream" };
      if (this.#lastId !== null) headers["Last-Event-ID"] = this.#lastId;
      const { signal } = controller;
      const response = await fetch(this.#path, { headers, cache: "no-store", signal });
      if (!response.ok) {
        const body = await response.json().catch(() => null);
        return problemOf(response.status, body).message;
      }
      this.#on.onOpen();
      await this.#consume(response.body, controller);
      return "The worker closed the connection.";
    } catch {
      return controller.signal.aborted
        ? `Nothing was heard for ${SILENCE_MS / 1000} s.`
        : "There is no connection to the worker.";
    } finally {
      clearTimeout(this.#silence);
      controller.abort();
    }
  }

  async #consume(body, controller) {
    const parser = new Parser();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#watch(controller);
      this.#failures = 0;
      this.#on.onHeard();
      for (const { event, data, id } of parser.feed(value)) {
        if (id !== null) this.#lastId = id;
        if (data) this.#on.onEvent(event, JSON.parse(data));
      }
    }
  }

  #watch(controller) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => controller.abort(), SILENCE_MS);
  }

  #wait() {
    // A random part, so that the pages of a whole office do not come back in step.
    const longest = Math.min(FIRST_WAIT_MS * 2 ** (this.#failures - 1), LONGEST_WAIT_MS);
    const timer = setTimeout(() => this.#wake(), longest * (0.6 + 0.4 * Math.random()));
    return this.#woken().finally(() => clearTimeout(timer));
  }

  #woken() {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
