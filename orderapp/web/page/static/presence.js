/* Whether somebody is in the list of orders, with the pointer or the keyboard: then it holds
   still, so that a click and a key meet what was aimed at. */

/** Who has left may be on the way back; and the click of a finger comes after it has left. */
const LINGER_MS = 300;

export class Presence {
  #pointer = false;
  #inside = false;
  #timer = 0;
  #onChange;

  /** `onChange(inside)` when somebody comes and when the last one has left. */
  constructor(area, onChange) {
    this.#onChange = onChange;
    for (const type of ["pointerenter", "pointerleave"]) {
      area.addEventListener(type, () => {
        this.#pointer = type === "pointerenter";
        this.#look();
      });
    }
    for (const type of ["focusin", "focusout"]) area.addEventListener(type, () => this.#look());
  }

  #look() {
    clearTimeout(this.#timer);
    if (this.#isInside()) this.#tell(true);
    else this.#timer = setTimeout(() => this.#tell(this.#isInside()), LINGER_MS);
  }

  #isInside() {
    const focused = document.activeElement.closest("#scroller, #arrived");
    // Not a focus that a click has left behind: nobody would know what holds the list.
    return this.#pointer || Boolean(focused?.matches(":focus-visible, :has(:focus-visible)"));
  }

  #tell(inside) {
    if (inside === this.#inside) return;
    this.#inside = inside;
    this.#onChange(inside);
  }
}
