/* A story's spans as bars on one axis: for the eye alone, since its list says the same in words. */

import { byId, durationText, make, setText } from "./text.js";

/** The bar of a span; an attempt that failed is hatched, and so is the part in which it was tried
    again and again without that it is known when. */
export function bar(span, scale) {
  const lane = make("span", "lane");
  lane.setAttribute("aria-hidden", "true");
  for (const [name, from, to] of partsOf(span)) lane.append(part(name, from, to, scale));
  for (const cut of scale.cuts) lane.append(mark(cut, scale));
  return lane;
}

function partsOf({ step, from, to, tries, failed, attempts }) {
  if (attempts) return attemptParts(attempts, from, tries);
  const last = [step === "waited" ? "waits" : tries > 1 ? "tries" : "", failed ?? from, to];
  return failed ? [["waits", from, failed], last] : [last];
}

/** Each attempt, with gaps while it was waited for the next; and what was before the first. */
function attemptParts(attempts, from, tries) {
  const last = attempts.length - 1;
  const parts = attempts.map((one, at) => [at < last ? "tries" : "", one.from, one.to]);
  const begin = attempts[0].from;
  const before = tries > attempts.length ? "tries" : "waits";
  return begin > from ? [[before, from, begin], ...parts] : parts;
}

function part(name, from, to, scale) {
  const found = make("span", name);
  const [begin, end] = [from, to].map((time) => scale.place(time) * 100);
  found.style.left = `${begin}%`;
  found.style.width = `${end - begin}%`;
  return found;
}

/** In the middle of what is left out. */
function mark({ from, to }, scale) {
  const found = make("span", "cut");
  found.style.left = `${(scale.place(from) + scale.place(to)) * 50}%`;
  return found;
}

/** The axis above the bars, and what they leave out; nothing without a scale. */
export function showAxis(scale) {
  const axis = byId("story-axis");
  axis.hidden = scale === null;
  const cuts = scale?.cuts ?? [];
  byId("story-cuts").hidden = cuts.length === 0;
  if (scale === null) return;
  setText(axis.firstElementChild, "0");
  setText(axis.lastElementChild, `+${durationText(scale.end - scale.start)}`);
  const left = cuts.map(({ ms }) => durationText(ms)).join(" and ");
  setText(byId("story-cuts"), `Where the bars are broken, ${left} without another step are left out.`);
}
