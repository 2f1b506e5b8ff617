// The page: what the server does, what is measured, and the few things that are done from a phone.

import { Alarms } from "./alarms.js";
import { Curves } from "./curves.js";
import { wireDialogs } from "./dialogs.js";
import { colour, Plot, whenThemeChanges, withoutAxis } from "./plot.js";
import { boardRows, element, noteRows, setParts, valueRows } from "./rows.js";
import { ask, forgetToken, Gone, keepToken, Refused, takeFromAddress, token, tokenIn } from "./server.js";
import * as words from "./words.js";

const LOOK_MS = 500, STATUS_MS = 1000, NOTES_MS = 4000, AGAIN_MS = 2000;
const CURVES_LIMIT = 6;
const NOTES_SHOWN = 6;

const at = (id) => document.getElementById(id);
const state = {
  status: null, who: null, heardAt: 0, offsetS: 0, isGone: false, areAllShown: false,
  notices: [], markers: [], round: 0,
};
const curves = new Curves();
const plot = new Plot(at("plot"));
const values = valueRows(at("values"), toggle), boards = boardRows(at("boards")), notes = noteRows(at("note-list"));
const alarms = new Alarms({ at, state, mayAct, showTrouble });

function mayAct() {
  return state.who !== null && state.who.role !== "viewer";
}

/** The server's time, in seconds since the Unix epoch: phones' clocks may be wrong. */
function now() {
  return Date.now() / 1000 + state.offsetS;
}

// ---- what is asked again and again -----------------------------------------------------------------------------------

async function readStatus() {
  const sent = Date.now();
  const status = await ask("status");
  const before = state.status?.session?.id;
  state.status = status;
  state.offsetS = Date.parse(status.now) / 1000 - (sent + Date.now()) / 2000;
  state.heardAt = Date.now();
  state.isGone = false;
  if (status.session?.id !== before) state.markers = [];
  showStatus();
}

async function readValues() {
  await curves.look();
  showValues();
}

async function readPast() {
  if (await curves.lookBack()) drawPlot();
}

async function readNotes() {
  state.notices = await ask("events");
  const session = state.status?.session;
  state.markers = session ? await ask(`sessions/${session.id}/markers`) : [];
  showNotes();
}

/** Do something again and again, while the page is looked at; the round ends when another begins. */
async function repeat(task, pauseMs, round) {
  while (state.round === round && !document.hidden) {
    let waitMs = pauseMs;
    try {
      await task();
    } catch (error) {
      if (!(error instanceof Gone) && !(error instanceof Refused)) throw error;
      if (state.round !== round) return; // it was asked with another token, or before the page was out of sight
      if (error instanceof Gone) state.isGone = true;
      else if (error.status === 401) return askForToken(error.message);
      else if (task === readStatus) showTrouble(error.message);
      waitMs = Math.max(pauseMs, AGAIN_MS);
    }
    if (state.isGone) waitMs = Math.max(waitMs, AGAIN_MS);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** Ask who one is, then look at everything. */
async function begin() {
  const round = ++state.round;
  if (document.hidden) return;
  at("entry").hidden = true;
  at("view").hidden = false;
  repeat(async () => showAge(), 1000, round);
  while (state.round === round) {
    try {
      state.who = await ask("whoami");
      break;
    } catch (error) {
      if (state.round !== round) return;
      if (error instanceof Refused && error.status === 401) return askForToken(error.message);
      if (error instanceof Refused) showTrouble(error.message);
      state.isGone = error instanceof Gone;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
  if (state.round !== round) return;
  showWho();
  repeat(readStatus, STATUS_MS, round);
  repeat(readValues, LOOK_MS, round);
  repeat(readPast, LOOK_MS, round);
  repeat(readNotes, NOTES_MS, round);
  repeat(() => alarms.read(), STATUS_MS, round);
}

function askForToken(reason) {
  state.round++;
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  at("view").hidden = true;
  at("entry").hidden = false;
  at("entry-reason").textContent = token() ? reason : "";
  at("entry-token").focus();
}

// ---- what is shown ---------------------------------------------------------------------------------------------------

const setText = (id, text) => { if (at(id).textContent !== text) at(id).textContent = text; };

function doing(status) {
  if (status.session && !status.store.is_up) return ["spooling", "Recording to disk"];
  if (status.session) return ["recording", "Recording"];
  return status.preview ? ["preview", "Not recording"] : ["stopped", "Stopped"];
}

function showStatus() {
  const { status } = state, { session } = status;
  const [kind, said] = doing(status);
  at("head").dataset.doing = kind;
  setText("doing", said);
  document.title = session ? `● ${words.title(session)} – Blitz` : "Blitz";
  setText("session", session ? words.title(session) : "");
  if (session) {
    const lost = words.losses(status);
    const away = status.boards.filter((board) => ["away", "silent"].includes(board.state)).map((board) => `${board.name} ${board.state}`);
    const spooled = status.store.is_up ? [] : [`store away, ${words.messages(status.store.spooled_messages)} safe`];
    const came = [words.messages(session.message_count), words.rate(status.rate_hz)];
    if (!status.boards.length) away.push("no board");
    setParts(at("account"), [...came, [...away, ...spooled, lost.words].join(", ")]);
    at("account").className = `facts ${lost.isBad || away.length ? "bad" : ""}`;
  } else {
    setParts(at("account"), status.preview ? ["Values are shown, not kept", words.rate(status.rate_hz)] : ["Preview is off."]);
    at("account").className = "facts";
  }
  showTrouble([status.room?.text, status.store.error].filter(Boolean).join(" "));
  boards.show(status.boards, (board) => board.name);
  at("boards-hint").hidden = status.boards.length > 0;
  showButtons();
  showAge();
}

function showTrouble(text) {
  setText("trouble", text);
  at("trouble").hidden = !text;
}

/** Once a second: how long it runs, and how old all of this is. */
function showAge() {
  const { status } = state, session = status?.session;
  at("gone").hidden = !state.isGone;
  document.body.classList.toggle("is-gone", state.isGone);
  if (state.isGone) {
    const since = state.heardAt ? ` for ${words.age((Date.now() - state.heardAt) / 1000)}` : "";
    const last = state.heardAt ? ` What is shown is of ${words.clock(state.heardAt / 1000)}.` : "";
    setText("gone", `No connection to the server${since}.${last} Trying again…`);
    at("head").dataset.doing = "connecting";
    setText("doing", session ? "Last seen recording" : "Not connected");
  }
  if (session) {
    const started = Date.parse(session.started_at) / 1000;
    const by = session.owner && session.owner !== state.who?.name ? [`by ${words.owner(session.owner)}`] : [];
    const runs = state.isGone ? [] : [words.duration(now() - started)];
    setParts(at("facts"), [`since ${words.clock(started)}`, ...runs, ...by]);
  } else {
    setParts(at("facts"), []);
  }
  showButtons();
}

function showButtons() {
  const { status } = state;
  at("actions").hidden = !mayAct() || status === null;
  at("only-looks").hidden = state.who === null || mayAct();
  setText("only-looks", "You are a viewer: others start, stop and write markers. An admin can make you a link of the role operator.");
  at("start").hidden = Boolean(status?.session);
  at("stop").hidden = at("mark").hidden = !status?.session;
  for (const id of ["start", "stop", "mark"]) at(id).disabled = state.isGone;
}

function showWho() {
  const { who } = state;
  at("leave").hidden = !token();
  setText("who", [token() ? who.name : "without a token", who.role, location.host].filter(Boolean).join(" · "));
  showButtons();
}

function showValues() {
  const shown = curves.channels.filter((channel) => channel.shown || curves.chosen?.includes(channel.label));
  const isCut = !state.areAllShown && shown.length > 0 && shown.length < curves.channels.length;
  const listed = isCut ? shown : curves.channels;
  const isShared = new Set(curves.channels.map((channel) => channel.source)).size > 1;
  const rows = listed.flatMap((channel, n) => {
    const row = { channel, now: now(), isChosen: Boolean(curves.chosen?.includes(channel.label)), colour: colourOf(channel) };
    return isShared && channel.source !== listed[n - 1]?.source ? [{ heading: channel.source }, row] : [row];
  });
  values.show(rows, (row) => row.channel?.label ?? `\n${row.heading}`);
  at("values-hint").hidden = listed.length > 0;
  setText("values-hint", state.status?.boards.length ? "Waiting for values…" : "There are no values without a board.");
  at("more").hidden = !isCut && !state.areAllShown;
  setText("more", isCut ? `Show ${curves.channels.length - shown.length} more` : "Show fewer");
  drawPlot();
}

function colourOf(channel) {
  return channel.color || colour(curves.channels.indexOf(channel));
}

/** Name the curves below the plot: their values may be out of sight. */
function showLegend(chosen) {
  const key = JSON.stringify(chosen.map((channel) => [channel.name, colourOf(channel)]));
  if (at("legend").dataset.key === key) return;
  at("legend").dataset.key = key;
  at("legend").replaceChildren(...chosen.map((channel) => {
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = swatch.style.borderColor = colourOf(channel);
    return element("span", {}, swatch, channel.name);
  }));
}

function drawPlot() {
  const to = now() - curves.spanS, from = to - 60 * curves.minutes;
  const chosen = curves.channels.filter((channel) => curves.chosen?.includes(channel.label));
  plot.draw(
    chosen.map((channel) => ({
      name: channel.name, unit: channel.unit, colour: colourOf(channel),
      spans: curves.spans(channel.label),
    })),
    from, to, curves.spanS, state.markers.map((marker) => marker.from_ns / 1e9),
  );
  showLegend(chosen);
  const names = chosen.map((channel) => channel.name).join(", ");
  at("plot").setAttribute("aria-label", `${names || "No channel"} over the last ${curves.minutes} min`);
  const full = curves.fullSince();
  at("curves").hidden = curves.channels.length === 0 && state.status?.boards.length === 0;
  const hints = chosen.length ? [] : [curves.channels.length ? "Touch a value to see its curve." : "Waiting for values…"];
  const bare = withoutAxis(chosen).map((channel) => channel.name);
  if (bare.length) hints.push(`Only the shape of ${bare.join(", ")}: the plot has room for two scales.`);
  if (full !== undefined && full > from) hints.push(`Samples before ${words.clock(full)}: short peaks may be missing.`);
  setText("plot-hint", hints.join(" "));
}

function toggle(label) {
  const chosen = curves.chosen ?? [];
  const others = chosen.filter((each) => each !== label);
  curves.choose(others.length < chosen.length ? others : [...chosen, label].slice(-CURVES_LIMIT));
  showValues();
}

function showNotes() {
  const told = [
    ...state.notices.map((notice, n) => ({ kind: notice.severity, text: notice.text, time: Date.parse(notice.time) / 1000, key: `n${notice.time}${n}` })),
    ...state.markers.map((marker) => ({ kind: "marker", text: marker.text, who: marker.who, time: marker.from_ns / 1e9, key: `m${marker.id}` })),
  ].sort((a, b) => b.time - a.time).slice(0, NOTES_SHOWN);
  at("notes").hidden = told.length === 0;
  notes.show(told, (note) => note.key);
}

// ---- what is touched -------------------------------------------------------------------------------------------------

at("entry-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = tokenIn(at("entry-token").value);
  if (!given) {
    at("entry-reason").textContent = "There is no token in that. Paste the whole link, or the token alone.";
    return;
  }
  keepToken(given, at("entry-keep").checked);
  at("entry-token").value = "";
  begin();
});

at("leave").addEventListener("click", () => {
  forgetToken();
  location.reload();
});

at("more").addEventListener("click", () => {
  state.areAllShown = !state.areAllShown;
  showValues();
});

for (const button of document.querySelectorAll("[data-minutes]")) {
  button.addEventListener("click", () => {
    curves.show(Number(button.dataset.minutes));
    for (const other of document.querySelectorAll("[data-minutes]")) other.setAttribute("aria-pressed", String(other === button));
    drawPlot();
  });
}

wireDialogs({ at, state, now, done: () => Promise.all([readStatus(), readNotes()]).catch(() => {}) });
whenThemeChanges(() => {
  plot.forgetTheme();
  showValues();
});
document.addEventListener("visibilitychange", () => at("entry").hidden && begin()); // who fetches a token comes back to the field
addEventListener("hashchange", () => takeFromAddress() && begin());
takeFromAddress();
begin();
