// Asking the server, with the token of whoever looks. Everything else here knows neither tokens nor HTTP.

const KEY = "blitz.token";
const PATIENCE_MS = 10_000;

/** The server refused: `message` is its sentence. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code || "";
  }
}

/** No answer came: the network, the server, or this device's connection is away. */
export class Gone extends Error {}

/** Return the token in what somebody pasted: a link, what stands behind its #, or the token alone. */
export function tokenIn(text) {
  const given = text.trim();
  const first = given.slice(given.indexOf("#") + 1).split("&")[0];
  return /^[0-9a-f]{64}$/i.test(first) ? "" : first; // that is the certificate's fingerprint
}

/** Take the token out of the page's address, so that nobody reads it there. Return whether there was one. */
export function takeFromAddress() {
  const token = tokenIn(location.hash.slice(1));
  if (!token) return false;
  history.replaceState(null, "", location.pathname + location.search);
  keepToken(token, localStorage.getItem(KEY) !== null);
  return true;
}

export function keepToken(token, isForLong) {
  forgetToken();
  (isForLong ? localStorage : sessionStorage).setItem(KEY, token);
}

export function forgetToken() {
  sessionStorage.removeItem(KEY);
  localStorage.removeItem(KEY);
}

export function token() {
  return sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? "";
}

/** Ask the server. Returns its answer; throws Refused or Gone. */
export async function ask(path, { method = "GET", body } = {}) {
  const headers = { Accept: "application/json", "X-Blitz-Owner": "phone" };
  if (token()) headers.Authorization = `Bearer ${token()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer, content;
  try {
    answer = await fetch(`api/v1/${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    content = await answer.text();
  } catch (error) {
    throw new Gone(error.message);
  }
  let told = {};
  try {
    told = content ? JSON.parse(content) : {};
  } catch {
    throw new Gone("Something between here and the server answered instead of it.");
  }
  if (!answer.ok) throw new Refused(answer.status, told);
  return told;
}
