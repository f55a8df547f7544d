/* Coalescing: however often something asks for it, the page is drawn at most once in a frame,
   ten times a second, and not at all while nobody looks. */

const LEAST_GAP_MS = 100;

export class Painter {
  #draw;
  #timer = 0;
  /** When it is to be drawn next: Infinity while nobody asks, -Infinity in the next frame. */
  #due = Infinity;
  #last = -Infinity;

  constructor(draw) {
    this.#draw = draw;
  }

  /** `gap`: how long after the last time (ms); who asks for less is not kept waiting by others. */
  ask(gap = LEAST_GAP_MS) {
    const due = this.#last + gap;
    if (due >= this.#due) return;
    this.#due = due;
    clearTimeout(this.#timer);
    const wait = due - performance.now();
    if (wait > 0) this.#timer = setTimeout(() => this.#frame(), wait);
    else this.#frame();
  }

  #frame() {
    this.#due = -Infinity;
    // Browsers hold frames back while the page is hidden.
    requestAnimationFrame(() => {
      this.#due = Infinity;
      this.#last = performance.now();
      this.#draw();
    });
  }
}
