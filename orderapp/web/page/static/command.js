/* Commands that do the same as a button, to be copied. */

/** A word as POSIX shells read it. */
export function quoted(text) {
  return /^[\w:.,@%+/=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** `action` is `replay` or `drop`, `choice` what the API would get. */
export function commandOf(action, { places = [], service, error, order_id: order, everything }) {
  const words = ["faust", "-A", "orderapp", "dlq", action, ...places];
  if (service) words.push("--service", service);
  if (error) words.push(`--error=${error}`);
  if (order !== undefined) words.push("--order", String(order));
  if (everything) words.push("--everything");
  return words.map(quoted).join(" ");
}

/** What makes a rule what it shall be: `values` by name as text, and only of this version if there
    is one. */
export function ruleCommand(id, { state, values, version }) {
  const words = ["faust", "-A", "orderapp", "rules", "set", id, "--state", state, ...settings(values)];
  if (version !== null) words.push("--version", String(version));
  return words.map(quoted).join(" ");
}

/** What tries it on the last week's orders. */
export function ruleTestCommand(id, values) {
  const words = ["faust", "-A", "orderapp", "rules", "test", id, ...settings(values), "--since", "7d"];
  return words.map(quoted).join(" ");
}

const settings = (values) => values.flatMap(([name, text]) => ["--set", `${name}=${text}`]);
