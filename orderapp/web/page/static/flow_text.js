/* How the view of the flow says things. */

import { counted, countText, secondsText } from "./text.js";

const TONES = { ok: "good", slow: "wait", stuck: "bad", nobody: "bad", unknown: "calm" };

export const healthTone = ({ health }) => TONES[health] ?? "calm";

export function healthText({ health, here, reads, oldest_seconds: oldest }) {
  if (reads.length === 0) return here ? "runs here" : "not in this worker";
  if (health === "slow" || health === "stuck") return `${health}: ${secondsText(oldest)}`;
  return { nobody: "nobody runs it", unknown: "not known" }[health] ?? health;
}

export const workersText = ({ members }) =>
  members === null ? "workers unknown" : counted(members.length, "worker");

export const rateText = ({ per_second: rate }) => `${countText(rate)}/s`;

export const orUnknown = (value) => (value === null ? "not known" : countText(value));

/** A member's id as Kafka made it: its client's name and a UUID, of which the end is enough. */
export const memberText = (id) => (id === null ? "nobody" : id.length > 24 ? `…${id.slice(-12)}` : id);
