// Start, stop, marker: each asks once more, or for what it needs; what the server refuses stands in the dialog.

import { element } from "./rows.js";
import { ask, Gone } from "./server.js";
import * as words from "./words.js";

/**
 * @param page.state what is known of the server
 * @param page.now the server's time, in Unix seconds
 * @param page.done called when something was done
 */
export function wireDialogs({ at, state, now, done }) {
  let session = null, momentS = 0, asked = [];

  const said = () => asked.map((name, n) => [name, at(`start-field-${n}`).value]);
  function proposeName() {
    const name = words.nameBy(state.status.session_name, Object.fromEntries(said()), state.who.name || "phone", now());
    at("start-name").placeholder = name || "Named by its number";
  }
  at("start-fields").addEventListener("input", proposeName);

  wire("start", () => {
    at("start-name").value = "";
    const { required_fields: required, session_name: pattern } = state.status;
    asked = [...new Set([...required, ...words.patternFields(pattern)])];
    at("start-fields").replaceChildren(...asked.flatMap((name, n) => [
      element("label", { for: `start-field-${n}` }, required.includes(name) ? name : `${name} (may be empty)`),
      element("input", {
        id: `start-field-${n}`, required: required.includes(name) ? "" : undefined, maxlength: "200", autocomplete: "off",
      }),
    ]));
    at("start-warning").textContent = words.notReady(state.status);
    proposeName();
  }, () => {
    const fields = said().filter(([, value]) => value.trim());
    return ask("sessions", { method: "POST", body: { name: at("start-name").value, owner: "phone", fields: Object.fromEntries(fields) } });
  });

  wire("stop", () => {
    session = state.status.session;
    at("stop-words").textContent = `“${words.title(session)}” has ${words.messages(session.message_count)}.`;
  }, () => ask(`sessions/${session.id}/stop`, { method: "POST" }));

  wire("mark", () => {
    session = state.status.session;
    momentS = now(); // when it was touched, not when the words are written
    at("mark-text").value = "";
    at("mark-when").textContent = `At ${words.clock(momentS)}.`;
  }, () => ask(`sessions/${session.id}/markers`, {
    method: "POST", body: { text: at("mark-text").value, from_ns: Math.round(momentS * 1000) * 1_000_000 },
  }));

  function wire(name, prepare, act) {
    const dialog = at(`${name}-dialog`), refusal = dialog.querySelector(".refusal"), submit = dialog.querySelector("[type=submit]");
    at(name).addEventListener("click", () => {
      refusal.textContent = "";
      prepare();
      dialog.showModal();
    });
    dialog.querySelector(".close").addEventListener("click", () => dialog.close());
    dialog.querySelector("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      submit.disabled = true;
      try {
        await act();
        dialog.close();
        await done();
      } catch (error) {
        refusal.textContent = error instanceof Gone ? "No answer came: look whether it was done before you try again." : error.message;
      } finally {
        submit.disabled = false;
      }
    });
  }
}
