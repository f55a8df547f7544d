/* Keeps an area where it is in the window while somebody is in it, whatever appears or goes above it: a
   browser does so by itself only where the page is scrolled. */

export class Steady {
  #area;
  /** Where it has to stay, in pixels from the window's top; null while nobody is in it. */
  #top = null;

  /** `above` are the elements that may change their height. */
  constructor(area, above) {
    this.#area = area;
    // Called after the layout and before it is painted.
    const observer = new ResizeObserver(() => this.#settle());
    for (const element of above) observer.observe(element);
    addEventListener("scroll", () => this.hold(this.#top !== null), { passive: true });
  }

  hold(held) {
    this.#top = held ? this.#area.getBoundingClientRect().top : null;
  }

  #settle() {
    if (this.#top === null) return;
    const moved = this.#area.getBoundingClientRect().top - this.#top;
    if (moved !== 0) scrollBy({ top: moved, behavior: "instant" });
  }
}
