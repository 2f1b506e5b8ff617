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

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Show a name; where it is too long, a line ends behind one of its signs, and within a word only as a last resort. */
export function setName(node, text) {
  if (node.textContent === text) return;
  node.replaceChildren(...text.split(/(?<=[_./:-])/).flatMap((part) => [part, element("wbr", {})]).slice(0, -1));
}

/** Show facts with points between them; a line ends between two of them, not within one. */
export function setParts(node, texts) {
  if ([...node.children].map((child) => child.textContent).join() === texts.join()) return;
  node.replaceChildren(...texts.flatMap((text) => [element("span", {}, text), " "]).slice(0, -1));
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

/** Rows of values, with the name of their source above them; touching one puts its curve into the plot, or takes it out. */
export function valueRows(list, toggle) {
  function makeHeading() {
    const name = element("h3", {});
    return { node: element("li", { class: "heading" }, name), name };
  }

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

  function fill(row, { channel, isChosen, colour, now }) {
    const state = words.limitState(channel);
    const ageS = channel.time === undefined ? undefined : now - channel.time;
    const isOld = ageS !== undefined && ageS > 5;
    row.node.className = `${state.kind} ${isOld || ageS === undefined ? "is-old" : ""}`;
    row.button.setAttribute("aria-pressed", String(isChosen));
    row.button.title = isChosen ? "In the plot" : "Show it in the plot";
    row.swatch.style.background = isChosen ? colour : "transparent";
    row.swatch.style.borderColor = isChosen ? colour : "";
    setName(row.name, channel.name);
    const said = [words.limits(channel), isOld ? `${words.age(ageS)} old` : ""];
    setParts(row.sub, said.filter(Boolean));
    setText(row.number, words.value(channel.value, channel.decimals));
    setText(row.unit, channel.unit);
    setText(row.state, state.words);
  }

  return new Rows(
    list,
    (thing) => (thing.heading === undefined ? make(thing.channel) : makeHeading()),
    (row, thing) => (thing.heading === undefined ? fill(row, thing) : setName(row.name, thing.heading)),
  );
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
    setName(row.name, board.name);
    setParts(row.sub, [board.board_name, board.error].filter(Boolean));
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
    setParts(row.sub, [words.clock(note.time), note.who && words.owner(note.who)].filter(Boolean));
  }

  return new Rows(list, make, fill);
}
