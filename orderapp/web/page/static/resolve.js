/* The dialog in which dead letters are replayed or dropped: it first counts which, by a dry run, and
   then does what was confirmed, request by request, until all is done. */

import { REFUSED } from "./access.js";
import { post } from "./api.js";
import { offerCopy } from "./clipboard.js";
import { commandOf } from "./command.js";
import { byId, counted, countText, make, setText } from "./text.js";
import { TokenField } from "./token.js";

/** One request begins with no more after 10 s, and is given up after 25. */
const PATIENCE_MS = 30_000;

const WORDS = {
  replay: ["Replay", "Replayed", "They are sent again, each to the service that gave it up. What fails again is a new dead letter."],
  drop: ["Drop", "Dropped", "It is noted that nothing will be done with them. They stay in Kafka, and a command can still replay them (--all)."],
};

export class Resolver {
  #access;
  #onDone;
  #dialog = byId("resolve");
  #token;
  #action = "replay";
  #choice = {};
  /** How many the dry run has found, null before. */
  #number = null;
  #busy = false;
  /** An answer about an earlier opening is on its way. */
  #turn = 0;
  #changed = false;

  /** `onDone()` when something was changed and the dialog is closed. */
  constructor(access, onDone) {
    this.#access = access;
    this.#token = new TokenField(access, byId("resolve-token"));
    this.#onDone = onDone;
    byId("resolve-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#next();
    });
    byId("resolve-close").addEventListener("click", () => this.#dialog.close());
    const command = byId("resolve-command");
    offerCopy(byId("resolve-copy"), () => command.textContent, command);
    this.#dialog.addEventListener("close", () => this.#closed());
  }

  /** `action`: `replay` or `drop`; `choice` as the API takes it. */
  open(action, choice) {
    this.#turn += 1;
    this.#action = action;
    this.#choice = choice;
    this.#number = null;
    this.#busy = false;
    this.#changed = false;
    const [name, , meaning] = WORDS[action];
    setText(byId("resolve-title"), `${name} dead letters`);
    setText(byId("resolve-meaning"), meaning);
    setText(byId("resolve-command"), commandOf(action, choice));
    setText(byId("resolve-close"), "Cancel");
    this.#say(" ");
    this.#showLines([]);
    const { changes, token } = this.#access;
    this.#token.show(changes === "token" && !token);
    this.#dialog.showModal();
    (this.#token.isShown ? this.#token : byId("resolve-title")).focus();
    byId("resolve-do").hidden = changes === "refused";
    if (changes === "refused") this.#say(REFUSED);
    else if (changes === "free" || token) this.#next();
    else this.#offer("Count them");
  }

  /** Where its view is hidden, a modal dialog would go on to block the page. */
  close() {
    this.#dialog.close();
  }

  async #next() {
    if (this.#busy) return;
    const turn = this.#turn;
    this.#busy = true;
    try {
      if (this.#number === null) await this.#count(turn);
      else await this.#do(turn);
    } catch (error) {
      if (turn === this.#turn) this.#failed(error);
    } finally {
      if (turn === this.#turn) this.#busy = false;
    }
  }

  async #count(turn) {
    this.#say("Counting …");
    this.#offer(null);
    const found = await this.#ask(true);
    if (turn !== this.#turn) return;
    this.#token.show(false);
    this.#number = found.done;
    const [name] = WORDS[this.#action];
    const least = found.complete ? "" : "at least ";
    this.#say(`${name} ${least}${counted(found.done, "dead letter")}?${rest(found)}`);
    this.#showLines([...found.errors, ...found.notices]);
    this.#offer(found.done > 0 ? `${name} ${least}${countText(found.done)}` : null);
    if (found.done === 0) this.#say(`There is nothing to do.${rest(found)}`);
  }

  async #do(turn) {
    const [, past] = WORDS[this.#action];
    const lines = [];
    let done = 0;
    this.#offer(null);
    this.#say("At work …");
    for (;;) {
      const found = await this.#ask(false);
      if (turn !== this.#turn) return;
      this.#changed = true;
      done += found.done;
      lines.push(...found.errors, ...found.notices);
      this.#showLines([...new Set(lines)]);
      this.#say(`${past}: ${countText(done)}.${rest(found)}`, found.errors.length > 0 ? "bad" : "good");
      if (found.complete || found.done === 0) break;
      this.#say(`${past} so far: ${countText(done)} …`);
    }
    setText(byId("resolve-close"), "Close");
    byId("resolve-close").focus();
  }

  #ask(dryRun) {
    const body = { ...this.#choice, dry_run: dryRun };
    return post(`api/dead-letters/${this.#action}`, body, this.#token.headers(), PATIENCE_MS);
  }

  #failed(error) {
    // Whether it was done before there was no answer is not known.
    this.#changed ||= this.#number !== null;
    this.#say(error.status === 403 ? REFUSED : error.message, "bad");
    if (error.status === 401) this.#token.ask();
    byId("resolve-do").hidden = error.status === 403;
    if (error.status === 422) this.#offer(null);
    else this.#offer(this.#number === null ? "Count again" : "Try again");
  }

  /** What the first button does; nothing without a text. */
  #offer(text) {
    const button = byId("resolve-do");
    const had = document.activeElement === button;
    button.disabled = text === null;
    if (text !== null) setText(button, text);
    if (had && text === null) byId("resolve-title").focus();
  }

  #say(text, tone = "") {
    setText(byId("resolve-says"), text);
    byId("resolve-says").dataset.tone = tone;
  }

  #showLines(lines) {
    byId("resolve-lines").hidden = lines.length === 0;
    byId("resolve-lines").replaceChildren(...lines.map((line) => make("li", "", line)));
  }

  #closed() {
    this.#turn += 1;
    if (this.#changed) this.#onDone();
    this.#changed = false;
  }
}

/** What is not done of what was asked for. */
function rest({ already_done: before, skipped }) {
  const parts = [];
  if (before > 0) parts.push(`${countText(before)} were done before.`);
  if (skipped > 0) parts.push(`${countText(skipped)} can't be replayed, as their headers are damaged.`);
  return parts.map((part) => ` ${part}`).join("");
}
