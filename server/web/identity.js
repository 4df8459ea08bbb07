/* server/web/identity.js - who we are: the name that is written before each message, and the guest that the server
 * knows.
 *
 * A window is one person for as long as it is open. A chosen name goes on in new windows, with its guest; who has
 * chosen none is another guest in each window, so that two fresh windows can talk to each other. */

import { isText, isTextList, recall, remember } from '/storage.js';

const NAME_LENGTH_MAX = 32;     /* characters; raw clients read the name before ": " up to this length */
const OWN_NAMES_MAX = 20;

/* The separator, line breaks, control characters and what turns the direction of text are no part of a name. */
export function cleanName(name) {
  const seen = name.replace(/[:\s]+/g, ' ').replace(/[\p{Cc}\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu, '').trim();
  return [...seen].slice(0, NAME_LENGTH_MAX).join('').trim();
}

/* "NAME: text" as everybody in a room writes it; without a name it is a guest's. */
export function readNamed(data) {
  const named = /^([^:\n]{1,32}): /u.exec(data);
  if (named === null || named[1].trim() === '') return { sender: 'Guest', text: data };
  return { sender: named[1].trim(), text: data.slice(named[0].length) };
}

async function postJson(path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
  } catch (error) {
    throw Object.assign(new Error('the server does not answer'), { retry: true, cause: error });
  }
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  const isPassing = answer.status >= 500 || answer.status === 429;
  throw Object.assign(new Error(said.error ?? `the server answers ${answer.status}`),
    { code: answer.status, retry: isPassing });
}

export class Identity {
  /* Ours in this window; null while we are a guest without a name of our own. */
  #chosen;
  #guestName;
  #token;
  #asking = null;
  #names;
  id = null;                    /* of the guest, once the server has told */
  onGuest = () => {};           /* the id is known, or has become another one */

  constructor() {
    const chosen = recall('sessionStorage', 'name', isText) ?? recall('localStorage', 'name', isText);
    this.#chosen = cleanName(chosen ?? '');
    this.#guestName = recall('sessionStorage', 'guest', isText) ?? `Guest ${1000 + Math.floor(Math.random() * 9000)}`;
    this.#token = recall('sessionStorage', 'token', isText)
      ?? (this.#chosen === '' ? null : recall('localStorage', 'token', isText));
    this.#names = recall('sessionStorage', 'names', isTextList) ?? [];
    remember('sessionStorage', 'guest', this.#guestName);
    this.#noteName();
  }

  get name() { return this.#chosen || this.#guestName; }

  get isGuest() { return this.#chosen === ''; }

  /* Was this written by us? Of a room's history nobody knows more than the name. */
  isOwnName(name) { return this.#names.includes(name); }

  rename(name) {
    this.#chosen = cleanName(name);
    const chosen = this.#chosen || null;
    remember('sessionStorage', 'name', this.#chosen);
    remember('localStorage', 'name', chosen);
    if (this.#token !== null) remember('localStorage', 'token', chosen === null ? null : this.#token);
    this.#noteName();
  }

  #noteName() {
    this.#names = [this.name, ...this.#names.filter((name) => name !== this.name)].slice(0, OWN_NAMES_MAX);
    remember('sessionStorage', 'names', this.#names);
    if (!this.isGuest) remember('sessionStorage', 'name', this.#chosen);
  }

  /* ---- The guest ---------------------------------------------------------------------------------------------- */

  /* Asks once for each page; a token that the server no longer accepts becomes a new guest. */
  async #guest() {
    this.#asking ??= postJson('/guests', this.#token === null ? {} : { token: this.#token });
    let guest;
    try {
      guest = await this.#asking;
    } catch (error) {
      this.#asking = null;
      throw error;
    }
    if (this.id !== guest.id) {
      this.id = guest.id;
      this.#token = guest.token;
      remember('sessionStorage', 'token', guest.token);
      if (!this.isGuest) remember('localStorage', 'token', guest.token);
      this.onGuest(guest.id);
    }
    return guest.token;
  }

  async #signed(path, body) {
    const token = await this.#guest();
    try {
      return await postJson(path, { token, name: this.name, ...body });
    } catch (error) {
      if (error.code !== 401) throw error;
      this.#asking = null;
      return postJson(path, { token: await this.#guest(), name: this.name, ...body });
    }
  }

  /* For ringcast.js: permission for a channel, and the sign-in. */
  authorize = ({ socketId, channel }) => this.#signed('/guests/auth', { socket_id: socketId, channel_name: channel });
  signIn = ({ socketId }) => this.#signed('/guests/signin', { socket_id: socketId });
}
