/* A common axis for the spans of a story: linear, but for long stretches in which nothing happened
   and beside which all else would be too small to be seen. These are cut out, and said to be. */

/** All else would get less than this part of the axis. */
const SMALLEST = 1 / 32;
/** The part of the axis that a stretch gets which is cut. */
const CUT = 0.1;

/** `times`: ms, more than none. */
export class Scale {
  /** The stretches that were cut: `{ from, to }`, in ms. */
  cuts = [];
  #stretches;

  constructor(times) {
    const sorted = [...new Set(times)].sort((one, other) => one - other);
    this.start = sorted[0];
    this.end = sorted.at(-1);
    const stretches = sorted.slice(1).map((to, at) => ({ from: sorted[at], to, ms: to - sorted[at] }));
    this.#cut(stretches);
    const drawn = stretches.filter((one) => !this.cuts.includes(one));
    const whole = drawn.reduce((sum, { ms }) => sum + ms, 0);
    const room = 1 - CUT * this.cuts.length;
    let at = 0;
    this.#stretches = stretches.map((one) => {
      const size = this.cuts.includes(one) ? CUT : (one.ms / whole) * room;
      at += size;
      return { ...one, at: at - size, size };
    });
  }

  /** The longest ones first, as long as there is something left beside them. */
  #cut(stretches) {
    const byLength = [...stretches].sort((one, other) => other.ms - one.ms);
    let rest = byLength.reduce((sum, { ms }) => sum + ms, 0);
    for (const one of byLength) {
      const others = rest - one.ms;
      if (others <= 0 || others >= SMALLEST * rest) break;
      this.cuts.push(one);
      rest = others;
    }
    this.cuts.sort((one, other) => one.from - other.from);
  }

  /** Where a time is, from 0 to 1. */
  place(time) {
    const found = this.#stretches.find(({ to }) => time <= to);
    if (!found) return this.#stretches.length > 0 ? 1 : 0;
    return found.at + (found.size * Math.max(time - found.from, 0)) / found.ms;
  }
}
