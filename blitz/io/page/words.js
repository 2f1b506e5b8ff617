// How numbers, times and states are written: as in the window (blitz/ui/formats.py, recording_words.py).

const pad = (number) => String(number).padStart(2, "0");

export function count(number) {
  return Math.round(number).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function messages(number) {
  return `${count(number)} message${number === 1 ? "" : "s"}`;
}

export function rate(hz) {
  return hz < 100 ? `${hz.toFixed(1)}/s` : `${count(hz)}/s`;
}

export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 3600)}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}`;
}

export function age(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** The time of day, with the date where it is another day's. `seconds` since the Unix epoch. */
export function clock(seconds) {
  const then = new Date(seconds * 1000);
  const time = `${pad(then.getHours())}:${pad(then.getMinutes())}:${pad(then.getSeconds())}`;
  return then.toDateString() === new Date().toDateString() ? time : `${then.toLocaleDateString()} ${time}`;
}

export function value(number, decimals) {
  if (number === undefined || number === null) return "–";
  if (decimals !== undefined) return number.toFixed(decimals);
  const size = Math.abs(number);
  if (size >= 1e6 && size < 1e9) return number.toFixed(0); // all digits before the point
  return size !== 0 && (size >= 1e9 || size < 1e-4) ? number.toExponential(3) : String(Number(number.toPrecision(6)));
}

export function title(session) {
  return session.name || `Session ${session.id}`;
}

/** Who started a session: "ada on bench-pc" for ada@bench-pc. */
export function owner(name) {
  const [user, machine] = name.split("@");
  return user && machine ? `${user} on ${machine}` : name;
}

/** The own fields that a pattern of names uses, such as sample in "{date}_{sample}_{n}". */
export function patternFields(pattern) {
  return [...pattern.matchAll(/\{([^{}]*)\}/g)].map((found) => found[1]).filter((name) => !["date", "time", "owner", "n"].includes(name));
}

/** The name that a session without one gets by a pattern (blitz/data/name_pattern.py); its number is known to the server. */
export function nameBy(pattern, fields, owner, seconds) {
  const now = new Date(seconds * 1000);
  const values = {
    ...fields, owner, n: "…",
    date: [now.getFullYear(), now.getMonth() + 1, now.getDate()].map(pad).join("-"),
    time: [now.getHours(), now.getMinutes(), now.getSeconds()].map(pad).join("-"),
  };
  const filled = pattern.replace(/\{([^{}]*)\}/g, (_, name) => (values[name] ?? "").trim() || "\0");
  return filled.replace(/[-_ .,:/]*\0/g, "").replace(/^[-_ .,:/]+/, "");
}

/** What an operator should know before starting: what will not be recorded. */
export function notReady(status) {
  const missing = status.boards.filter((board) => !["ready", "recording", "disabled"].includes(board.state));
  const words = missing.map((board) => `${board.name}: ${boardState(board.state)[0]}. Nothing of it is recorded until it is ready.`);
  if (!status.boards.length) words.push("There is no board: nothing will be recorded until one is plugged in.");
  if (!status.store.is_up) words.push("The store is away.");
  return words.join(" ");
}

/** What became of the messages of the running session. */
export function losses(status) {
  const accounts = status.boards.map((board) => board.account).filter(Boolean);
  const sum = (name) => accounts.reduce((total, account) => total + (account[name] ?? 0), 0);
  const lost = sum("lost"), gaps = sum("gaps"), dropped = sum("messages_dropped");
  const words = [];
  if (lost) words.push(`${messages(lost)} lost`);
  if (gaps) words.push(`${count(gaps)} gap${gaps === 1 ? "" : "s"}`);
  if (dropped) words.push(`${messages(dropped)} dropped`);
  return { words: words.join(", ") || "nothing lost", isBad: words.length > 0 };
}

/** Where a value stands; a sign and a word, so that colour is never alone. */
export function limitState(channel) {
  const { value: now, limit_low: low, limit_high: high } = channel;
  if (now === undefined || (low === undefined && high === undefined)) return { words: "", kind: "" };
  if (low !== undefined && now < low) return { words: "▼ low", kind: "is-beyond" };
  if (high !== undefined && now > high) return { words: "▲ high", kind: "is-beyond" };
  return { words: "✓ ok", kind: "is-ok" };
}

export function limits(channel) {
  const { limit_low: low, limit_high: high } = channel;
  const unit = channel.unit ? ` ${channel.unit}` : "";
  if (low !== undefined && high !== undefined) return `from ${value(low)} to ${value(high)}${unit}`;
  if (low !== undefined) return `from ${value(low)}${unit}`;
  return high === undefined ? "" : `up to ${value(high)}${unit}`;
}

const STATES = {
  away: ["away", "is-bad"],
  identifying: ["being identified", "is-warning"],
  ready: ["ready", "is-ok"],
  recording: ["recording", "is-ok"],
  silent: ["silent", "is-bad"],
  released: ["lent to another program", "is-warning"],
  ambiguous: ["which one is it? Ask the window", "is-warning"],
  disabled: ["disabled", ""],
};

export function boardState(state) {
  return STATES[state] ?? [state, ""];
}
