/* server/web/ringcast_channel.js - the part of ringcast.js that a channel is: its place in the log, its questions, what
 * it has to publish. Applications import what they need from ringcast.js.
 *
 * Each promise settles once the server has answered. But the server cannot say to whom an answer belongs if it could
 * not read what was sent: so whatever it would not read is refused here, before it waits for anything. */

const WAITING_MAX = 1000;       /* in one channel: publishes, and requests for history */
const ID_BYTES_MAX = 64;

/** Why something did not happen.
 *   code    the server's number, or a word: 'unsubscribed', 'closed', 'refused', 'sign-in', 'full' (too much waits),
 *           'uncertain' (a publish that could not be repeated in time: it was published or not)
 *   retry   true: the same may succeed later */
export class RingcastError extends Error {
  constructor(message, code = null, retry = false) {
    super(message);
    Object.assign(this, { name: 'RingcastError', code, retry });
  }
}

/** An event of a channel, or an item of its history.
 *   name, data      as published; data is a string
 *   json            the data read as JSON; undefined if it is none
 *   offset, epoch   its place in the channel; null if it is not kept
 *   userId          who sent it; null where the server does not say (it does on presence channels)
 *   isReplayed      it happened while there was no connection; in a history always true
 *   timeMs          when it was published, in ms since 1970; null except in a history */
export class RingcastEvent {
  constructor(name, { data, offset = null, epoch = null, user_id = null, time_ms = null }, isReplayed) {
    Object.assign(this, { name, data: toText(data), offset, epoch, userId: user_id, isReplayed, timeMs: time_ms });
  }

  get json() { return fromJson(this.data); }
}

const toText = (data) => (typeof data === 'string' ? data : toJson(data ?? null));
const report = (error) => (globalThis.reportError ?? console.error)(error);

/* Half of a surrogate pair is no Unicode, and for the server no JSON. With /u whole pairs are one character. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const toWellFormed = (text) => text.replace(/\p{Surrogate}/gu, '\ufffd');    /* String has it only of late */

export const toJson = (value) => (
  JSON.stringify(value, (_, part) => (typeof part === 'string' ? toWellFormed(part) : part)));

export function fromJson(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

/* The data of a protocol frame: a string holding JSON, in errors the object itself. */
export const payload = ({ data }) => Object(typeof data === 'string' ? fromJson(data) : data);

/* 128 bits: if others could guess an id, they could use it up. Pages over plain HTTP lack crypto.randomUUID(). */
const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join('-');

/* Full jitter: after a restart the clients come back spread out, not as one wave. */
export const jitteredMs = ({ retryFirstMs, retryMaxMs }, failures) => (
  Math.random() * Math.min(retryMaxMs, retryFirstMs * 2 ** failures));

function checkId(id) {
  const isText = typeof id === 'string' && /^[^\0-\x1f\x7f\p{Surrogate}]+$/u.test(id);
  if (isText && new TextEncoder().encode(id).length <= ID_BYTES_MAX) return;
  throw new TypeError(`an id is a string of 1 to ${ID_BYTES_MAX} bytes of UTF-8 without control characters`);
}

function checkEventName(name) {
  if (typeof name === 'string' && name.startsWith('client-') && !LONE_SURROGATE.test(name)) return;
  throw new TypeError('the name of a client event is a string that begins with client-');
}

function checkNumber(what, value, least) {
  if (value === undefined || value === null) return;
  if (typeof value !== 'number') throw new TypeError(`${what} is a number`);
  if (!Number.isSafeInteger(value) || value < least) throw new RangeError(`${what} is a whole number from ${least} on`);
}

export class Emitter {
  #listeners = new Map();

  /** Calls listener each time `what` happens. Returns a function that ends that. */
  on(what, listener) {
    if (!this.#listeners.has(what)) this.#listeners.set(what, new Set());
    this.#listeners.get(what).add(listener);
    return () => this.#listeners.get(what).delete(listener);
  }

  _emit(what, value) {
    for (const listener of [...this.#listeners.get(what) ?? []]) {
      try { Promise.resolve(listener(value)).catch(report); } catch (error) { report(error); }
    }
  }
}

/** Made by Ringcast.subscribe().
 *   name, state   the state: 'subscribing' (also without a connection), 'subscribed', 'refused', 'unsubscribed'
 *   position      { epoch, offset } up to which all is known, null without history; for a later subscribe()
 *   members       of a presence channel, a Map of id to info; without a connection it stays as it was
 *   myId          who we are among them
 * on():
 *   'subscribed'      { isFirst, recovered, position } when the server has let us in, on each connection again.
 *                     recovered: true, all that was missed follows as events; false, nothing does; null, no history,
 *                     or none now.
 *   'gap'             { position } events may be missing, load the history again: what was missed cannot be replayed
 *                     (right after 'subscribed'), or the server has lost the channel's log. position is null if the
 *                     server cannot reach the log now: history() may reject, and 'gap' comes again when an event or a
 *                     connection tells where the log stands.
 *   'error'           a RingcastError: no permission, or refused by the server. Tried again on the next connection,
 *                     by subscribe(), and after a pause if authorize() threw something with retry: true.
 *   'event'           a RingcastEvent of any name; bind() is for one name
 *   'members'         the map `members`, after each change; 'join', 'leave': { id, info } of one that came or went
 *   'pusher:…'        what else the protocol says, decoded: 'pusher:cache_miss' and the like */
export class Channel extends Emitter {
  state = 'subscribing';
  members = new Map();
  myId = null;
  _wasSubscribed = false;
  _question = null;           /* what Ringcast asks last */
  #client;
  #byName = new Emitter();
  #replayEnd = 0;             /* events up to here are replayed ones */
  #hasLog = false;            /* the server has the extension, and keeps this channel */
  #owesGap = false;           /* something may be missing, and there was no log to load it from */
  #acked = new Set();         /* offsets of own messages that are ahead of the position */
  #queue = [];                /* publishes, in order; only the first may be on its way */
  #requests = new Map();      /* for history: rid -> { frame, resolve, reject } */
  #timer = 0;                 /* a pause before something is tried again */
  #tries = 0;

  constructor(client, name, position) {
    super();
    this.#client = client;
    Object.assign(this, { name, position });
  }

  /** Calls listener with each RingcastEvent of this name. Returns a function that ends that. */
  bind(name, listener) { return this.#byName.on(name, listener); }

  /** Sends a client event ("client-") and resolves to { id, offset, epoch } when the server has it; offset and epoch
   * are null if the channel does not keep it. Waits for a connection. One message of a channel is on its way at a
   * time: all are published in the order of the calls, and once, for it is sent again under its id after a lost
   * connection and a refusal with retry: true. Rejects with a RingcastError when it is refused for good, on
   * unsubscribe(), close() and state 'failed', and from then on until connect(); with the same `id` it can then be
   * published within 10 minutes without appearing twice. If an earlier page has sent it already, `firstSentAt` says
   * when it did so first (ms since 1970): what is too old to be sent again is 'uncertain'. With a TypeError for a name
   * without client-, or an id that is not 1 to 64 bytes of UTF-8 without control characters. Lone surrogates in the
   * data become U+FFFD. */
  async publish(name, data, { id = newId(), firstSentAt = null } = {}) {
    checkEventName(name);
    return this.#enqueue(id, firstSentAt, { event: name, channel: this.name, data: toText(data), id });
  }

  /** Sends a text to the room of this name (public channels of the server's first app): raw clients get the text,
   * subscribers of the channel the event "message". Else as publish(). */
  async publishToRoom(text, { id = newId(), firstSentAt = null } = {}) {
    const data = { channel: this.name, data: toText(text), id };
    return this.#enqueue(id, firstSentAt, { event: 'pusher:ringcast_publish', data });
  }

  /** Sends a client event now or never, for what is soon forgotten; it may overtake what publish() has still to send.
   * Returns whether it was sent; nobody says whether it arrived. */
  trigger(name, data) {
    return this.state === 'subscribed' && this.#client._send({ event: name, channel: this.name, data: toText(data) });
  }

  /** The newest `limit` events with an offset below `before` (without it: of all), or the oldest ones above `since`.
   * Resolves to { items, epoch, offset, more, complete }: RingcastEvents, oldest first; the channel's newest offset;
   * whether there are more in that direction; with `since` false, if what followed it is not kept any more, so that
   * something is missing before the first item, else true. There may be fewer than `limit` (50 if not given, at most
   * 1000). Waits for a connection. Rejects with a RingcastError, code 404: no history; code 503, retry true: not now;
   * else as publish(). With a TypeError or RangeError for what is no whole number, from 1 on for limit and before,
   * from 0 for since.
   * A page that takes longer than twice pongTimeoutMs to arrive looks like a dead line: on slow ones ask for less. */
  async history({ before, since, limit } = {}) {
    checkNumber('limit', limit, 1);
    checkNumber('before', before, 1);
    checkNumber('since', since, 0);
    this.#check(this.#requests.size);
    return new Promise((resolve, reject) => {
      const rid = newId();
      const frame = { event: 'pusher:ringcast_history', data: { channel: this.name, before, since, limit, rid } };
      this.#requests.set(rid, { frame, resolve, reject });
      if (this.state === 'subscribed') this.#ask(rid);
    });
  }

  /** Leaves; Ringcast.subscribe() then makes a new channel. What is pending is rejected. */
  unsubscribe() {
    if (this.state === 'unsubscribed') return;
    this.#client._leave(this);
    this._disconnected();
    this.state = 'unsubscribed';
    this._rejectAll(new RingcastError(`unsubscribed from ${this.name}`, 'unsubscribed'));
  }

  #check(waiting) {
    const isOut = this.state === 'unsubscribed' || this.state === 'refused';
    const ending = this.#client._ending;
    if (ending !== null) throw ending;
    if (this.name === null && !this.#client._options.signIn) throw new RingcastError('nobody signs in', 'sign-in');
    if (isOut) throw new RingcastError(`${this.state}: ${this.name}`, this.state);
    if (waiting >= WAITING_MAX) throw new RingcastError(`too much waits for ${this.name}`, 'full');
  }

  /* A server without the extension would never answer. */
  #ask(rid) {
    if (this.#hasLog || this.position !== null) this.#client._request(this.#requests.get(rid).frame);
    else this._answered({ rid, error: `${this.name} has no history`, code: 404 });
  }

  async #enqueue(id, firstSentAt, frame) {
    checkId(id);
    checkNumber('firstSentAt', firstSentAt, 0);
    this.#check(this.#queue.length);
    return new Promise((resolve, reject) => {
      this.#queue.push({ id, frame, resolve, reject, isSent: false, firstSentAt });
      this.#sendNext();
    });
  }

  #sendNext() {
    const item = this.#queue[0];
    if (this.state !== 'subscribed' || item === undefined || item.isSent || this.#timer !== 0) return undefined;
    item.firstSentAt ??= Date.now();
    if (Date.now() - item.firstSentAt > this.#client._options.sendAgainMs) {
      /* The server may have forgotten the id: sent again, it could be a second message. */
      this.#queue.shift().reject(new RingcastError('nobody knows whether it was published', 'uncertain'));
      return this.#sendNext();
    }
    item.isSent = true;
    return this.#client._request(item.frame);
  }

  get _isAnswerDue() {
    return this.state === 'subscribed' && (this.#requests.size > 0 || this.#queue[0]?.isSent === true);
  }

  _rejectAll(error) {
    const waiting = [...this.#queue.splice(0), ...this.#requests.values()];
    this.#requests.clear();
    for (const { reject } of waiting) reject(error);
  }

  _later(act) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { this.#timer = 0; act(); }, jitteredMs(this.#client._options, this.#tries));
    this.#tries += 1;
  }

  _disconnected(code = null) {
    clearTimeout(this.#timer);
    this.#timer = this.#tries = 0;
    if (this.state !== 'unsubscribed') this.state = 'subscribing';
    if (!this.#queue[0]?.isSent) return;
    this.#queue[0].isSent = false;
    /* Too big (RFC 6455 7.4.1): sent again on each connection, it would end each connection. */
    if (code === 1009) this.#queue.shift().reject(new RingcastError('something was too big for the server', code));
  }

  _refused(error) {
    if (this.state === 'unsubscribed') return;
    this.state = 'refused';
    this._rejectAll(error);
    this._emit('error', error);
  }

  _succeeded({ offset, epoch, recovered, presence }) {
    const asked = this.position;
    const isFirst = !this._wasSubscribed;
    const hasHistory = Number.isInteger(offset);
    const isWhole = hasHistory && recovered === true && asked?.epoch === epoch;
    const mayMiss = !isWhole && (asked !== null || !isFirst);
    this.#hasLog = hasHistory || recovered !== undefined;
    this.#owesGap = !hasHistory && (mayMiss || this.#owesGap);
    if (!hasHistory) this.position = null;
    else if (!isWhole) this.#moveTo(epoch, offset);
    this.#replayEnd = isWhole ? offset : 0;
    this._disconnected();    /* no pause any more */
    this.state = 'subscribed';
    this._wasSubscribed = true;
    if (presence) this.members = new Map(presence.ids?.map((id) => [String(id), presence.hash?.[id] ?? null]));
    for (const rid of [...this.#requests.keys()]) this.#ask(rid);
    this.#sendNext();
    this._emit('subscribed', { isFirst, recovered: hasHistory ? isWhole : null, position: this.position });
    if (mayMiss && (hasHistory || asked !== null)) this._emit('gap', { position: this.position });
    if (presence) this._emit('members', this.members);
  }

  _received(frame) {
    const { event, offset, epoch } = frame;
    if (/^pusher(_internal)?:/.test(event)) return this.#told(event, payload(frame));
    if (offset !== undefined && !this.#isNew(offset, epoch)) return undefined;
    const what = new RingcastEvent(event, frame, offset <= this.#replayEnd);
    this.#byName._emit(event, what);
    return this._emit('event', what);
  }

  /* Takes the position along. What is kept and comes before the success is of a subscription that was given up: the
   * replay or the history has it too, and it must not move the position that we have asked with. */
  #isNew(offset, epoch) {
    if (this.state !== 'subscribed') return false;
    const isSameLog = this.position?.epoch === epoch;
    if (isSameLog && offset <= this.position.offset) return false;
    const isOwn = isSameLog && this.#acked.has(offset);
    const isGap = !isSameLog && (this.position !== null || this.#owesGap);
    this.#owesGap = false;
    this.#moveTo(epoch, offset);
    if (!isSameLog) this.#replayEnd = 0;
    if (isGap) this._emit('gap', { position: this.position });
    return !isOwn;
  }

  /* Own messages right behind what has come are known, too: no event is to come of them. */
  #moveTo(epoch, offset) {
    if (this.position?.epoch !== epoch) this.#acked.clear();
    for (const own of this.#acked) if (own <= offset) this.#acked.delete(own);
    let known = offset;
    while (this.#acked.delete(known + 1)) known += 1;
    this.position = { epoch, offset: known };
  }

  /* What is kept of the channel has begun anew, on a server among others: something may be missing. */
  #lost({ offset, epoch }) {
    if (this.state !== 'subscribed' || this.position === null) return undefined;
    this.#replayEnd = 0;
    if (Number.isInteger(offset)) this.#moveTo(epoch, offset);
    else this.position = null;
    return this._emit('gap', { position: this.position });
  }

  #told(event, data) {
    if (event === 'pusher_internal:ringcast_position') return this.#lost(data);
    const isJoin = event === 'pusher_internal:member_added';
    if (!isJoin && event !== 'pusher_internal:member_removed') return this._emit(event, data);
    if (this.state !== 'subscribed') return undefined;    /* the list with the success will be newer */
    const id = String(data.user_id);
    const wasThere = this.members.has(id);
    const info = isJoin ? data.user_info ?? null : this.members.get(id);
    if (isJoin) this.members.set(id, info);
    else this.members.delete(id);
    if (isJoin !== wasThere) this._emit(isJoin ? 'join' : 'leave', { id, info });
    return this._emit('members', this.members);
  }

  _acknowledged({ id, offset = null, epoch = null, error, code, retry }) {
    const item = this.#queue[0];
    if (!item?.isSent || item.id !== id) return;
    if (error !== undefined && retry === true) {
      Object.assign(item, { isSent: false, firstSentAt: null });    /* it was not published */
      this._later(() => this.#sendNext());
      return;
    }
    if (this.position?.epoch === epoch && offset > this.position.offset && this.#acked.size < WAITING_MAX) {
      this.#acked.add(offset);
      this.#moveTo(epoch, this.position.offset);    /* not to this offset: what lies between may be on its way */
    }
    this.#tries = 0;
    this.#queue.shift();
    if (error === undefined) item.resolve({ id, offset, epoch });
    else item.reject(new RingcastError(error, code));
    this.#sendNext();
  }

  _answered({ rid, error, code, items, epoch, offset, more, complete }) {
    const request = this.#requests.get(rid);
    if (request === undefined) return;    /* another channel's: each is asked */
    this.#requests.delete(rid);
    if (error !== undefined) {
      request.reject(new RingcastError(error, code, code === 503));
      return;
    }
    const events = items?.map((item) => new RingcastEvent(item.name, { epoch, ...item }, true)) ?? [];
    request.resolve({ items: events, epoch, offset, more: more === true, complete: complete !== false });
  }
}
