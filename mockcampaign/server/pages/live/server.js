// Calls of the control API.

const PREFIX = "/__mockcampaign";

/** Return the response, or null if it is empty. Throws an `Error` with the server's message if it rejects the call. */
export async function call(method, path, body) {
  let response;
  try {
    response = await fetch(PREFIX + path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("the server does not respond");
  }
  if (response.status === 204) {
    return null;
  }
  const content = await response.json().catch(() => ({}));
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
    stream.addEventListener(kind, (message) => on[kind](JSON.parse(message.data)));
  }
}
