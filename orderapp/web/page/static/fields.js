/* What is wrong with what was entered, said at the field itself. */

import { byId } from "./text.js";

/** Say of each input what `wrong` has under its name, and go to the first of those; an input
    that is not in `wrong` is right. Gives whether all are. */
export function markFields(inputs, wrong) {
  for (const input of inputs) {
    byId(`${input.name}-wrong`).textContent = wrong[input.name] ?? "";
    if (wrong[input.name]) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
  const first = inputs.find((input) => wrong[input.name]);
  first?.focus();
  return first === undefined;
}
