// Alarms: those of one rule in one row, the worst first. They are acknowledged one by one, or all at once.

import { element, Rows, setParts, setText } from "./rows.js";
import { ask, Refused } from "./server.js";
import * as words from "./words.js";

const FEW = 4;
const RANKS = { critical: 0, warning: 1, info: 2 };

/** Gather alarms of one rule into {key, newest, count, since, unseen}, what is to be seen first; `alarms` are newest first. */
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
  const rank = ({ newest, unseen }) => (unseen.length ? 0 : 10) + (RANKS[newest.rule.severity] ?? 2);
  return [...byRule.values()].sort((a, b) => rank(a) - rank(b));
}

export class Alarms {
  /**
   * @param page.state what is known of the server, and of who looks
   * @param page.mayAct whether who looks may acknowledge
   * @param page.showTrouble called with a sentence, where the server refuses
   */
  constructor({ at, state, mayAct, showTrouble }) {
    Object.assign(this, { at, state, mayAct, showTrouble });
    this.present = []; // undefined: this server has none
    this.areAllShown = false;
    this.rows = new Rows(at("alarm-list"), () => this.makeRow(), (row, gathered) => this.fillRow(row, gathered));
    at("more-alarms").addEventListener("click", () => {
      this.areAllShown = !this.areAllShown;
      this.show();
    });
    at("acknowledge-all").addEventListener("click", () => this.acknowledge(null, at("acknowledge-all")));
    at("alarm-bar").addEventListener("click", () => at("alarms").scrollIntoView());
    new IntersectionObserver(() => this.show()).observe(at("alarms"));
  }

  async read() {
    if (this.present === undefined) return;
    try {
      this.present = await ask("alarms");
    } catch (error) {
      if (!(error instanceof Refused) || ![404, 422, 501].includes(error.status)) throw error;
      this.present = undefined;
    }
    this.show();
  }

  show() {
    const { at } = this, gathered = gatheredAlarms(this.present ?? []);
    const unseen = gathered.filter((each) => each.unseen.length).length;
    const isLong = gathered.length > FEW + 1;
    at("alarms").hidden = gathered.length === 0;
    this.rows.show(isLong && !this.areAllShown ? gathered.slice(0, FEW) : gathered, (each) => each.key);
    at("more-alarms").hidden = !isLong;
    setText(at("more-alarms"), this.areAllShown ? "Show fewer" : `Show ${gathered.length - FEW} more`);
    at("acknowledge-all").hidden = !this.mayAct() || unseen < 2;
    at("acknowledge-all").disabled = this.state.isGone;
    const place = at("alarms").getBoundingClientRect(); // as it is now, and not as an observer was told
    at("alarm-bar").hidden = !unseen || (place.bottom > 0 && place.top < innerHeight);
    setText(at("alarm-bar"), `▲ ${unseen} alarm${unseen === 1 ? "" : "s"}`);
  }

  makeRow() {
    const text = element("span", {}), sub = element("span", { class: "sub" }), state = element("span", { class: "state" });
    const button = element("button", { type: "button", onclick: () => this.acknowledge(row.ids, button) }, "Acknowledge");
    const node = element("li", {}, element("div", { class: "row" }, element("span", { class: "name" }, state, text, sub), button));
    const row = { node, text, sub, state, button, ids: [] };
    return row;
  }

  fillRow(row, { newest, count, since, unseen }) {
    const { severity } = newest.rule, isOver = newest.cleared_at !== undefined;
    const sign = { critical: "✖", warning: "▲" }[severity] ?? "●";
    row.ids = unseen;
    row.node.className = isOver ? "" : severity === "info" ? "is-ok" : "is-beyond";
    setText(row.state, `${sign} ${severity}${isOver ? ", over" : ""}`);
    setText(row.text, newest.rule.name);
    const number = newest.value === undefined ? "" : `${words.value(newest.value)} ${newest.unit}`.trim();
    const about = [newest.source, newest.channel, number].filter(Boolean).join(" ");
    const began = words.clock(Date.parse(since) / 1000);
    const until = isOver ? ` until ${words.clock(Date.parse(newest.cleared_at) / 1000)}` : "";
    const times = count > 1 ? `${count} times since ${began}` : `${isOver ? "from" : "since"} ${began}${until}`;
    const seen = unseen.length ? "" : `seen by ${words.owner(newest.acknowledged_by || "somebody")}`;
    setParts(row.sub, [about, times, seen, newest.rule.advice].filter(Boolean));
    row.button.hidden = !this.mayAct() || unseen.length === 0;
    row.button.disabled = this.state.isGone;
    row.button.setAttribute("aria-label", `Acknowledge ${newest.rule.name}`);
  }

  /** Say that alarms were seen: those of these ids, or all for null. */
  async acknowledge(ids, button) {
    button.disabled = true;
    try {
      const unseen = this.present.filter((alarm) => alarm.acknowledged_at === undefined).length;
      const paths = ids === null || ids.length === unseen ? ["alarms/acknowledge"] : ids.map((id) => `alarms/${id}/acknowledge`);
      for (const path of paths) await ask(path, { method: "POST", body: {} });
      await this.read();
    } catch (error) {
      this.showTrouble(error.message || "No answer came.");
      button.disabled = false;
    }
  }
}
