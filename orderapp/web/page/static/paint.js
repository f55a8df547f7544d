/* Coalescing: however often something asks for it, the page is drawn at most once in a frame,
   ten times a second, and not at all while nobody looks. */

const LEAST_GAP_MS = 100;

export class Painter {
  #draw;
  #asked = false;
  #last = -Infinity;

  constructor(draw) {
    this.#draw = draw;
  }

  ask() {
    if (this.#asked) return;
    this.#asked = true;
    const wait = this.#last + LEAST_GAP_MS - performance.now();
    if (wait > 0) setTimeout(() => this.#frame(), wait);
    else this.#frame();
  }

  #frame() {
    // Browsers hold frames back while the page is hidden.
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#last = performance.now();
      this.#draw();
    });
  }
}
