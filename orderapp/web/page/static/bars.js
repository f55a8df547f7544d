/* A story's spans as bars on one axis: for the eye alone, since its list says the same in words. */

import { durationText } from "./spans.js";
import { byId, make, setText } from "./text.js";

/** The bar of a span; the part in which it was tried again and again is hatched. */
export function bar({ step, from, to, tries, failed }, scale) {
  const lane = make("span", "lane");
  lane.setAttribute("aria-hidden", "true");
  const begin = failed ?? from;
  if (failed) lane.append(part("waits", from, failed, scale));
  lane.append(part(step === "waited" ? "waits" : tries > 1 ? "tries" : "", begin, to, scale));
  for (const cut of scale.cuts) lane.append(mark(cut, scale));
  return lane;
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
