// Numbers, moments and foreign text for people. Everything reaches the page as text, never as markup.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const twoDigits = (value) => String(value).padStart(2, "0");

export const counted = (value) => value.toLocaleString("en-US");

export const plural = (value, noun) => `${counted(value)} ${noun}${value === 1 ? "" : "s"}`;

/** Return a moment as 2025-01-01 00:00:10 in UTC, with milliseconds if `precise`. */
export function moment(milliseconds, { precise = false } = {}) {
  const text = new Date(milliseconds).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, precise ? 23 : 19)}`;
}

/** Return the time since the start as +2d 03:04:05. */
export function since(milliseconds) {
  const days = Math.floor(milliseconds / DAY);
  const rest = milliseconds - days * DAY;
  const hours = twoDigits(Math.floor(rest / HOUR));
  const minutes = twoDigits(Math.floor((rest % HOUR) / MINUTE));
  const seconds = twoDigits(Math.floor((rest % MINUTE) / SECOND));
  return `+${days ? `${days}d ` : ""}${hours}:${minutes}:${seconds}`;
}

/** Return a duration as 1h30m, as the API reads it; the two largest units are enough for people. */
export function duration(milliseconds) {
  if (milliseconds < SECOND) {
    return `${Math.round(milliseconds)}ms`;
  }
  const parts = [];
  let rest = milliseconds;
  for (const [unit, size] of [["d", DAY], ["h", HOUR], ["m", MINUTE], ["s", SECOND]]) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole) {
      parts.push(`${whole}${unit}`);
    }
  }
  return parts.slice(0, 2).join("");
}

// Control characters, including terminal escapes, and characters that change the direction of text.
// eslint-disable-next-line no-control-regex
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Return foreign text with invisible characters written out. */
export const visible = (text) =>
  text.replace(INVISIBLE, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Return a new element; `false` omits an attribute, and children that are not elements are text. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== undefined) {
      made.setAttribute(name, value === true ? "" : value);
    }
  }
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** Return one of the marks at the top of the page. */
export function mark(name) {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("class", name === "run" ? "mark wide" : "mark");
  made.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#mark-${name}`);
  made.append(use);
  return made;
}

/** Change the text only if it differs, so that a selection in it is not lost. */
export function write(target, text) {
  if (target.textContent !== text) {
    target.textContent = text;
  }
}

/** Write a URL like `write`, with line breaks after its slashes rather than within its words. */
export function writeUrl(target, url) {
  if (target.textContent !== url) {
    target.replaceChildren(...url.split(/(?<=[^:/]\/)/).flatMap((part) => [part, document.createElement("wbr")]));
  }
}
