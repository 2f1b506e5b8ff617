// The lists. Whatever a name, a note or a message says, it is text: no string of the server becomes HTML.

import * as words from "./words.js";

/** Make an element; `children` are elements or texts. */
export function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Keep a list's rows by key, so that what is touched stays where it is. */
export class Rows {
  constructor(list, make, fill) {
    this.list = list;
    this.make = make;
    this.fill = fill;
    this.rows = new Map();
  }

  show(things, keyOf) {
    const keys = new Set(things.map(keyOf));
    for (const [key, row] of this.rows) {
      if (!keys.has(key)) {
        row.node.remove();
        this.rows.delete(key);
      }
    }
    things.forEach((thing, place) => {
      const key = keyOf(thing);
      if (!this.rows.has(key)) this.rows.set(key, this.make(thing));
      const row = this.rows.get(key);
      if (this.list.children[place] !== row.node) this.list.insertBefore(row.node, this.list.children[place] ?? null);
      this.fill(row, thing);
    });
  }
}

/** Rows of values; touching one puts its curve into the plot, or takes it out. */
export function valueRows(list, toggle) {
  function make(channel) {
    const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
    const name = element("span", {}), sub = element("span", { class: "sub" });
    const number = element("span", {}), unit = element("span", { class: "unit" }), state = element("span", { class: "state" });
    const button = element(
      "button", { type: "button", class: "row", onclick: () => toggle(channel.label) },
      swatch, element("span", { class: "name" }, name, sub), element("span", { class: "number" }, number, " ", unit, state),
    );
    return { node: element("li", {}, button), button, swatch, name, sub, number, unit, state };
  }

  function fill(row, { channel, isChosen, colour, now, isShared }) {
    const state = words.limitState(channel);
    const ageS = channel.time === undefined ? undefined : now - channel.time;
    const isOld = ageS !== undefined && ageS > 5;
    row.node.className = `${state.kind} ${isOld || ageS === undefined ? "is-old" : ""}`;
    row.button.setAttribute("aria-pressed", String(isChosen));
    row.button.title = isChosen ? "In the plot" : "Show it in the plot";
    row.swatch.style.background = isChosen ? colour : "transparent";
    row.swatch.style.borderColor = isChosen ? colour : "";
    setText(row.name, channel.name);
    const said = [isShared ? channel.source : "", words.limits(channel), isOld ? `${words.age(ageS)} old` : ""];
    setText(row.sub, said.filter(Boolean).join(" · "));
    setText(row.number, words.value(channel.value, channel.decimals));
    setText(row.unit, channel.unit);
    setText(row.state, state.words);
  }

  return new Rows(list, ({ channel }) => make(channel), fill);
}

export function boardRows(list) {
  function make() {
    const name = element("span", {}), sub = element("span", { class: "sub" });
    const rate = element("span", {}), state = element("span", { class: "state" });
    const node = element("li", {}, element(
      "div", { class: "row" }, element("span", { class: "name" }, name, sub), element("span", { class: "number" }, rate, state),
    ));
    return { node, name, sub, rate, state };
  }

  function fill(row, board) {
    const [said, kind] = words.boardState(board.state);
    row.node.className = kind;
    setText(row.name, board.name);
    setText(row.sub, [board.board_name, board.error].filter(Boolean).join(" · "));
    setText(row.rate, board.rate_hz ? words.rate(board.rate_hz) : "");
    setText(row.state, said);
  }

  return new Rows(list, make, fill);
}

const SIGNS = { info: ["", ""], warning: ["▲ warning", "is-warning"], error: ["✖ error", "is-bad"], marker: ["⚑ marker", "is-ok"] };

export function noteRows(list) {
  function make() {
    const text = element("span", {}), sub = element("span", { class: "sub" }), state = element("span", { class: "state" });
    return { node: element("li", {}, element("div", { class: "row" }, element("span", { class: "name" }, state, text, sub))), text, sub, state };
  }

  function fill(row, note) {
    const [sign, kind] = SIGNS[note.kind] ?? SIGNS.info;
    row.node.className = kind;
    setText(row.state, sign);
    setText(row.text, note.text);
    setText(row.sub, [words.clock(note.time), note.who].filter(Boolean).join(" · "));
  }

  return new Rows(list, make, fill);
}

/** Gather alarms of one rule into {key, newest, count, since, unseen}; `alarms` are newest first. */
export function gatheredAlarms(alarms) {
  const byRule = new Map();
  for (const alarm of alarms) {
    const known = byRule.get(alarm.rule_id);
    if (known === undefined) byRule.set(alarm.rule_id, { key: alarm.rule_id, newest: alarm, count: 0, unseen: [] });
    const gathered = byRule.get(alarm.rule_id);
    gathered.count++;
    gathered.since = alarm.raised_at;
    if (alarm.acknowledged_at === undefined) gathered.unseen.push(alarm.id);
  }
  return [...byRule.values()];
}

/** Rows of gathered alarms; `acknowledge` is called with their ids. */
export function alarmRows(list, acknowledge) {
  function make() {
    const text = element("span", {}), sub = element("span", { class: "sub" }), state = element("span", { class: "state" });
    const button = element("button", { type: "button", onclick: () => acknowledge(row.ids, button) }, "Acknowledge");
    const node = element("li", {}, element("div", { class: "row" }, element("span", { class: "name" }, state, text, sub), button));
    const row = { node, text, sub, state, button, ids: [] };
    return row;
  }

  function fill(row, { gathered, mayAct, isGone }) {
    const { newest, count, unseen } = gathered, { severity } = newest.rule, isOver = newest.cleared_at !== undefined;
    const sign = { critical: "✖", warning: "▲" }[severity] ?? "●";
    row.ids = unseen;
    row.node.className = isOver ? "" : severity === "info" ? "is-ok" : "is-beyond";
    setText(row.state, `${sign} ${severity}${isOver ? ", over" : ""}`);
    setText(row.text, newest.rule.name);
    const number = newest.value === undefined ? "" : `${words.value(newest.value)} ${newest.unit}`.trim();
    const about = [newest.source, newest.channel, number].filter(Boolean).join(" ");
    const since = words.clock(Date.parse(gathered.since) / 1000);
    const until = isOver ? ` until ${words.clock(Date.parse(newest.cleared_at) / 1000)}` : "";
    const times = count > 1 ? `${count} times since ${since}` : `${isOver ? "from" : "since"} ${since}${until}`;
    const seen = unseen.length ? "" : `seen by ${newest.acknowledged_by || "somebody"}`;
    setText(row.sub, [about, times, seen, newest.rule.advice].filter(Boolean).join(" · "));
    row.button.hidden = !mayAct || unseen.length === 0;
    row.button.disabled = isGone;
    row.button.setAttribute("aria-label", `Acknowledge ${newest.rule.name}`);
  }

  return new Rows(list, make, fill);
}
