// Calls of the control API.

const PREFIX = "/__mockcampaign";

const IDS = new Set(["id", "clientId", "client_id", "clients", "mailingId", "webhookId", "webhook_id", "webhookIds", "webhook_ids", "recipientListId", "transactionalMailId", "mailing_id"]);
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const LARGE = /^-?\d{16,}$/;

/** Return what a JSON text describes, with all ids as text: a number of JavaScript is exact up to 2^53 only. */
export function read(json) {
  const exact = json.replace(STRING_OR_NUMBER, (found) => (LARGE.test(found) ? `"${found}"` : found));
  return JSON.parse(exact, (key, value) => (IDS.has(key) && value !== null ? asText(value) : value));
}

const asText = (value) => (Array.isArray(value) ? value.map(String) : String(value));

/** Return the JSON text of a request, with ids as the numbers that they are. */
export const written = (body) => JSON.stringify(body).replace(/"(clientId|webhookId|recipientListId|transactionalMailId)":"(\d+)"/g, '"$1":$2');

/** Return the response, or null if it is empty. Throws an `Error` with the server's message if it rejects the call. */
export async function call(method, path, body) {
  let response;
  try {
    response = await fetch(PREFIX + path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : written(body),
    });
  } catch {
    throw new Error("the server does not respond");
  }
  if (response.status === 204) {
    return null;
  }
  const content = await response.text().then(read).catch(() => ({}));
  if (!response.ok) {
    throw new Error(content.error ?? `status ${response.status}`);
  }
  return content;
}

const RETRY_MILLISECONDS = 2000;

/** Follow the live stream. `on` has a function for each kind of message, and `connection`. */
export function follow(on) {
  const stream = new EventSource(`${PREFIX}/stream`);
  stream.onopen = () => on.connection("live");
  stream.onerror = () => {
    on.connection("lost");
    if (stream.readyState === EventSource.CLOSED) {
      // Rejected rather than interrupted: the browser does not reconnect by itself.
      setTimeout(() => follow(on), RETRY_MILLISECONDS);
    }
  };
  for (const kind of ["state", "entry"]) {
    stream.addEventListener(kind, (message) => on[kind](read(message.data)));
  }
}
