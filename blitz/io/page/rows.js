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

/** Rows of alarms; `acknowledge` is undefined for who may only look. */
export function alarmRows(list, acknowledge) {
  function make(alarm) {
    const text = element("span", {}), sub = element("span", { class: "sub" }), state = element("span", { class: "state" });
    const button = element("button", { type: "button", onclick: () => acknowledge(alarm.id, button) }, "Acknowledge");
    const node = element("li", {}, element("div", { class: "row" }, element("span", { class: "name" }, state, text, sub), button));
    return { node, text, sub, state, button };
  }

  function fill(row, { alarm, mayAct, isGone }) {
    const isOver = alarm.cleared_at !== undefined;
    const sign = alarm.rule.severity === "critical" ? "✖" : alarm.rule.severity === "warning" ? "▲" : "●";
    row.node.className = isOver ? "" : alarm.rule.severity === "info" ? "is-ok" : "is-beyond";
    setText(row.state, `${sign} ${alarm.rule.severity}${isOver ? ", over" : ""}`);
    setText(row.text, alarm.rule.name);
    const number = alarm.value === undefined ? "" : `${words.value(alarm.value)} ${alarm.unit}`.trim();
    const about = [alarm.source, alarm.channel].filter(Boolean).join(" ");
    const seen = alarm.acknowledged_at === undefined ? "" : `seen by ${alarm.acknowledged_by || "somebody"}`;
    const since = `since ${words.clock(Date.parse(alarm.raised_at) / 1000)}`;
    const until = isOver ? `until ${words.clock(Date.parse(alarm.cleared_at) / 1000)}` : "";
    setText(row.sub, [about, number, [since, until].filter(Boolean).join(" "), seen].filter(Boolean).join(" · "));
    row.button.hidden = !mayAct || alarm.acknowledged_at !== undefined;
    row.button.disabled = isGone;
    row.button.setAttribute("aria-label", `Acknowledge ${alarm.rule.name}`);
  }

  return new Rows(list, ({ alarm }) => make(alarm), fill);
}
