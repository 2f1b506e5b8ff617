// The curves: what the server tells of them, kept for as long as the plot can show, and what lies before it.

import { ask, Refused } from "./server.js";

export const LONGEST_S = 15 * 60;
const SERVER_KEEPS_S = 50; // it tells spans of the last minute: who was away for longer has a hole

export class Curves {
  constructor() {
    this.chosen = null; // labels, or null until there are channels to choose from
    this.minutes = 1;
    this.channels = [];
    this.sessionId = null;
    this.spanS = 0.25;
    this.isSampled = false;
    this.forget();
  }

  /** Forget all that was measured, not what was chosen. */
  forget() {
    this.cursor = "";
    this.epoch = "";
    this.live = new Map(); // by label: spans by time
    this.past = new Map(); // by label: spans
    this.needsPast = true;
    this.askedAt = 0;
  }

  choose(labels) {
    this.chosen = labels;
    this.cursor = ""; // else a channel that is new here would come without its last minute
    this.needsPast = true;
  }

  show(minutes) {
    this.needsPast ||= minutes > this.minutes;
    this.minutes = minutes;
  }

  /** Ask for what is new. */
  async look() {
    if (this.askedAt && Date.now() / 1000 - this.askedAt > SERVER_KEEPS_S) this.forget();
    const names = new URLSearchParams({ cursor: this.cursor });
    for (const label of this.chosen ?? []) names.append("channels", label);
    const latest = await ask(`latest?${names}`);
    const epoch = latest.cursor.split(".")[0];
    if (epoch !== this.epoch) this.forget();
    this.epoch = epoch;
    this.cursor = latest.cursor;
    this.askedAt = Date.now() / 1000;
    this.sessionId = latest.session_id ?? null;
    this.spanS = latest.span_s;
    // By source, whatever the order in which they were found: what has a colour keeps it when a session begins.
    this.channels = latest.channels.sort((a, b) => a.source.localeCompare(b.source, undefined, { numeric: true }));
    this.chooseSome();
    for (const channel of latest.channels) {
      const spans = this.live.get(channel.label) ?? new Map();
      for (const span of channel.spans) spans.set(span.time, span);
      const oldest = this.askedAt - LONGEST_S - 60;
      for (const time of spans.keys()) { // as they came: the oldest are first
        if (time >= oldest) break;
        spans.delete(time);
      }
      if (spans.size) this.live.set(channel.label, spans);
    }
  }

  /** Ask for what was before, where a session is recorded and that is not known; return whether it is known now. */
  async lookBack() {
    if (!this.needsPast || !this.sessionId || !this.chosen?.length) return false;
    this.needsPast = false;
    const names = new URLSearchParams({ span_s: 60 * this.minutes });
    for (const label of this.chosen) names.append("channels", label);
    const epoch = this.epoch;
    try {
      const past = await ask(`sessions/${this.sessionId}/latest?${names}`);
      if (epoch !== this.epoch) return false;
      this.past = new Map(Object.entries(past.curves));
      this.isSampled = past.is_sampled;
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) this.needsPast = true;
      throw error;
    }
  }

  /** Choose the first two channels, where nobody has chosen, or none of the chosen is there. */
  chooseSome() {
    const there = new Set(this.channels.map((channel) => channel.label));
    if (!there.size || (this.chosen !== null && (!this.chosen.length || this.chosen.some((label) => there.has(label))))) return;
    const shown = this.channels.filter((channel) => channel.shown);
    this.choose((shown.length ? shown : this.channels).slice(0, 2).map((channel) => channel.label));
  }

  /** Return all spans of a channel, rising in time. */
  spans(label) {
    const live = [...(this.live.get(label)?.values() ?? [])].sort((a, b) => a.time - b.time);
    const begin = live.length ? live[0].time : Infinity;
    return [...(this.past.get(label) ?? []).filter((span) => span.time < begin), ...live];
  }

  /** When what is drawn was looked at in full, and not in samples; undefined where all of it was. */
  fullSince() {
    if (!this.isSampled) return undefined;
    const begins = this.chosen.flatMap((label) => [...(this.live.get(label)?.keys() ?? [])].slice(0, 1));
    return begins.length ? Math.min(...begins) : undefined;
  }
}
