/* Copies, wherever something is offered to be copied. Browsers have a clipboard on this machine and over
   HTTPS only: elsewhere a text that is on show is selected, and what is not is not offered. */

import { make, setText } from "./text.js";

const SAID_MS = 2000;

/** Let a button copy what `text()` gives; `shown` is the element that shows it, if one does. */
export function offerCopy(button, text, shown = null) {
  const name = button.textContent;
  let timer = 0;
  button.hidden = !navigator.clipboard && shown === null;
  button.addEventListener("click", async () => {
    setText(button, await copied(text(), shown));
    clearTimeout(timer);
    timer = setTimeout(() => setText(button, name), SAID_MS);
  });
}

/** Give each command below `root` (`code` with `data-command`) a button that copies it. */
export function offerCommands(root) {
  for (const code of root.querySelectorAll("code[data-command]")) {
    const button = make("button", "copy", "Copy");
    button.type = "button";
    button.setAttribute("aria-label", `Copy ${code.textContent}`);
    code.after(" ", button);
    offerCopy(button, () => code.textContent, code);
  }
}

async function copied(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied";
  } catch {
    if (shown === null) return "Not allowed";
    getSelection().selectAllChildren(shown);
    return "Selected: press Ctrl+C";
  }
}
