/* server/web/identity.js - who we are: the name that is written before each message, and the guest that the server
 * knows.
 *
 * A window is one person for as long as it is open. A chosen name goes on in new windows, with its guest, and is
 * changed in all windows of that guest; who has chosen none is another guest in each window, so that two fresh windows
 * can talk to each other. */

import { isText, onElsewhere, recall, remember } from '/storage.js';

const NAME_LENGTH_MAX = 32;     /* characters; raw clients read the name before ": " up to this length */
const STORED_WITHIN_MS = 500;   /* what a window has stored is seen by the others */

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

const newWord = () => crypto.getRandomValues(new Uint32Array(1))[0].toString(36);

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
  #isRefused = false;           /* the server no longer accepts our token */
  person;                       /* a random word for who we are, for what this browser remembers of us */
  id = null;                    /* of the guest, once the server has told */
  onGuest = () => {};           /* the id is known, or has become another one */
  onRenamed = () => {};         /* in another window */

  constructor() {
    const chosen = recall('sessionStorage', 'name', isText) ?? recall('localStorage', 'name', isText);
    this.#chosen = cleanName(chosen ?? '');
    this.#guestName = recall('sessionStorage', 'guest', isText) ?? `Guest ${1000 + Math.floor(Math.random() * 9000)}`;
    this.#token = recall('sessionStorage', 'token', isText)
      ?? (this.#chosen === '' ? null : recall('localStorage', 'token', isText));
    this.person = recall('sessionStorage', 'person', isText)
      ?? (this.isGuest ? null : recall('localStorage', 'person', isText)) ?? newWord();
    remember('sessionStorage', 'guest', this.#guestName);
    remember('sessionStorage', 'person', this.person);
    this.#noteName();
    if (this.#isShared && recall('localStorage', 'person', isText) === null) this.#sharePerson();
    onElsewhere((key, oldValue) => this.#renamedElsewhere(key, oldValue));
  }

  get name() { return this.#chosen || this.#guestName; }

  get isGuest() { return this.#chosen === ''; }

  /* Do new windows go on as us? */
  get #isShared() { return !this.isGuest && recall('localStorage', 'name', isText) === this.#chosen; }

  rename(name) {
    this.#takeName(name);
    if (this.#token !== null) this.#shareToken();    /* first: other windows ask whose name it is */
    this.#sharePerson();
    remember('localStorage', 'name', this.#chosen || null);
  }

  #sharePerson() {
    remember('localStorage', 'person', this.isGuest ? null : this.person);
  }

  #shareToken() {
    remember('localStorage', 'token', this.isGuest ? null : this.#token);
  }

  #takeName(name) {
    this.#chosen = cleanName(name);
    remember('sessionStorage', 'name', this.#chosen);
    this.#noteName();
  }

  /* Everybody sees one name for one guest. With its name it gives up its token, too. */
  #renamedElsewhere(key, oldValue) {
    if ((key !== 'name' && key !== 'token') || this.#token === null) return;
    const token = recall('localStorage', 'token', isText);
    const hasGivenUp = key === 'token' && token === null && oldValue === JSON.stringify(this.#token);
    if (token !== this.#token && !hasGivenUp) return;
    const name = hasGivenUp ? '' : recall('localStorage', 'name', isText);
    if (name === null || cleanName(name) === this.#chosen) return;
    this.#takeName(name);
    this.onRenamed();
  }

  #noteName() {
    if (!this.isGuest) remember('sessionStorage', 'name', this.#chosen);
  }

  /* ---- The guest ---------------------------------------------------------------------------------------------- */

  /* The token. Asks once for each page; one that the server no longer accepts becomes a new guest. */
  #guest() {
    if (this.#asking === null) {
      const asking = this.#askInTurn();
      this.#asking = asking;
      asking.catch(() => this.#forget(asking));
    }
    return this.#asking;
  }

  #forget(asking) {
    if (this.#asking === asking) this.#asking = null;
  }

  /* Windows of one name lose their token all at once: the second is to find the new guest of the first. What one has
   * stored the other reads a moment later. */
  #askInTurn() {
    if (!this.#isRefused || this.isGuest || !navigator.locks) return this.#ask();
    return new Promise((resolve, reject) => {
      navigator.locks.request('ringcast-guest', async () => {
        resolve(await this.#ask());
        await new Promise((done) => { setTimeout(done, STORED_WITHIN_MS); });
      }).catch((error) => {
        if (error.name === 'SecurityError') resolve(this.#ask());    /* where storage is switched off, so are locks */
        else reject(error);
      });
    });
  }

  async #ask() {
    const isOurs = this.#isShared;
    if (this.#isRefused && isOurs) this.#token = recall('localStorage', 'token', isText) ?? this.#token;
    const guest = await postJson('/guests', this.#token === null ? {} : { token: this.#token });
    this.#isRefused = false;
    this.#token = guest.token;
    remember('sessionStorage', 'token', guest.token);
    if (isOurs) this.#shareToken();
    if (this.id !== guest.id) {
      this.id = guest.id;
      this.onGuest(guest.id);
    }
    return guest.token;
  }

  /* Sign-in and presence are refused at once; whoever comes second finds that a new guest is asked for already. */
  async #signed(path, body) {
    const asking = this.#guest();
    const token = await asking;
    try {
      return await postJson(path, { token, name: this.name, ...body });
    } catch (error) {
      if (error.code !== 401) throw error;
      if (this.#asking === asking) this.#isRefused = true;
      this.#forget(asking);
      return postJson(path, { token: await this.#guest(), name: this.name, ...body });
    }
  }

  /* For ringcast.js: permission for a channel, and the sign-in. */
  authorize = ({ socketId, channel }) => this.#signed('/guests/auth', { socket_id: socketId, channel_name: channel });
  signIn = ({ socketId }) => this.#signed('/guests/signin', { socket_id: socketId });
}
