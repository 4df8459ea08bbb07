/* server/web/ringcast.js - the client: channels, presence, history, resume and acknowledged publishing over one
 * WebSocket that is made anew whenever it is lost. For browsers and Node >= 20, no dependency. In short:
 *
 *   import { Ringcast } from '/ringcast.js';
 *   const ringcast = new Ringcast({
 *     key: 'rcdemo4f2a9c71',
 *     authorize: ({ socketId, channel }) => postJson('/auth', { socket_id: socketId, channel_name: channel }),
 *   });
 *   ringcast.on('state', ({ name, retryAt }) => showState(name, retryAt));
 *   const tea = ringcast.subscribe('presence-tea');
 *   const load = async () => (await tea.history({ limit: 50 })).items.forEach(show);    // show() merges by offset
 *   tea.on('subscribed', ({ isFirst }) => { if (isFirst) load(); });
 *   tea.on('gap', load);
 *   tea.on('members', (members) => showMembers(members));
 *   tea.bind('client-msg', show);
 *   ringcast.connect();
 *   addEventListener('online', () => ringcast.retryNow());
 *   const { offset, epoch } = await tea.publish('client-msg', { text: 'hello' });
 *
 * Data is a string on the wire and given as that string; `event.json` is what it holds as JSON, undefined if none.
 * What is sent goes out as it is if it is a string, else as its JSON.
 *
 * Own messages. The server sends an event to all but its sender: an application shows its own message by itself and
 * learns its place from publish(). If the acknowledgement was lost with the connection, the replay may bring the
 * message as an event before publish(), sent again under the same id, resolves to that very offset. So: keep what is
 * shown by epoch and offset; what comes second under one offset (event, item of a history, result of publish())
 * replaces the first. A message whose acknowledgement has come is not given as an event any more.
 *
 * Offsets grow, with gaps: nothing is concluded from a missing number. Only 'gap' says that something may be missing.
 * Errors in an application's callbacks are reported (reportError, else console.error) and change nothing here. What
 * begins with _ is for this file alone. */

const SIGNED = /^(private|presence)-/;
const CHANNEL_NAME = /^#?[A-Za-z0-9_\-=@,.;]{1,200}$/;
const USER_CHANNEL = '#server-to-user-';
const WAITING_MAX = 1000;       /* in one channel: publishes, and requests for history */

const DEFAULTS = {    /* of the options of new Ringcast() that are times */
  retryFirstMs: 500,              /* delays are random below a ceiling: this one, doubled with each failure */
  retryMaxMs: 30_000,
  steadyMs: 10_000,               /* a connection that lasted this long starts the delays afresh */
  connectTimeoutMs: 10_000,       /* for all up to the server's greeting */
  activityTimeoutMs: 120_000,     /* silence before a ping, if the server does not ask for less */
  pongTimeoutMs: 10_000,          /* silence after it that ends the connection */
  sendAgainMs: 9 * 60_000,        /* how long a message may be sent again: the server knows its id for 10 minutes */
};

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

const toText = (data) => (typeof data === 'string' ? data : JSON.stringify(data ?? null));
const report = (error) => (globalThis.reportError ?? console.error)(error);

function fromJson(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

/* The data of a protocol frame: a string holding JSON, in errors the object itself. */
const payload = ({ data }) => Object(typeof data === 'string' ? fromJson(data) : data);

/* 128 bits: if others could guess an id, they could use it up. Pages over plain HTTP lack crypto.randomUUID(). */
const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join('-');

/* Full jitter: after a restart the clients come back spread out, not as one wave. */
const jitteredMs = ({ retryFirstMs, retryMaxMs }, failures) => (
  Math.random() * Math.min(retryMaxMs, retryFirstMs * 2 ** failures));

class Emitter {
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
 *                     recovered: true, all that was missed follows as events; false, nothing does; null, no history.
 *   'gap'             { position } events may be missing, load the history again: what was missed cannot be replayed
 *                     (right after 'subscribed' with recovered: false), or the server has lost the channel's log
 *   'error'           a RingcastError: no permission, or refused by the server. Tried again on the next connection,
 *                     by subscribe(), and after a pause if authorize() threw something with retry: true.
 *   'event'           a RingcastEvent of any name; bind() is for one name
 *   'members'         the map `members`, after each change; 'join', 'leave': { id, info } of one that came or went
 *   'pusher:…'        what else the protocol says, decoded: 'pusher:cache_miss' and the like */
class Channel extends Emitter {
  state = 'subscribing';
  members = new Map();
  myId = null;
  _wasSubscribed = false;
  _question = null;           /* what Ringcast asks last */
  #client;
  #byName = new Emitter();
  #replayEnd = 0;             /* events up to here are replayed ones */
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
   * connection and a refusal with retry: true. Rejects with a RingcastError when it is refused for good, and on
   * unsubscribe(), close() and state 'failed'; with the same `id` (1 to 64 bytes) it can then be published within 10
   * minutes without appearing twice. */
  publish(name, data, { id = newId() } = {}) {
    return this.#enqueue(id, { event: name, channel: this.name, data: toText(data), id });
  }

  /** Sends a text to the room of this name (public channels of the server's first app): raw clients get the text,
   * subscribers of the channel the event "message". Else as publish(). */
  publishToRoom(text, { id = newId() } = {}) {
    const data = { channel: this.name, data: toText(text), id };
    return this.#enqueue(id, { event: 'pusher:ringcast_publish', data });
  }

  /** Sends a client event now or never, for what is soon forgotten; it may overtake what publish() has still to send.
   * Returns whether it was sent; nobody says whether it arrived. */
  trigger(name, data) {
    return this.state === 'subscribed' && this.#client._send({ event: name, channel: this.name, data: toText(data) });
  }

  /** The newest `limit` events with an offset below `before` (without it: of all), or the oldest ones above `since`.
   * Resolves to { items, epoch, offset, more }: RingcastEvents, oldest first; the channel's newest offset; whether
   * there are more in that direction. There may be fewer than `limit` (50 if not given, at most 1000). Waits for a
   * connection. Rejects with a RingcastError, code 404: no history; code 503, retry true: not now. */
  async history({ before, since, limit } = {}) {
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
    if (isOut) throw new RingcastError(`${this.state}: ${this.name}`, this.state);
    if (waiting >= WAITING_MAX) throw new RingcastError(`too much waits for ${this.name}`, 'full');
  }

  /* A server without the extension would never answer. */
  #ask(rid) {
    if (this.position !== null) this.#client._send(this.#requests.get(rid).frame);
    else this._answered({ rid, error: `${this.name} has no history`, code: 404 });
  }

  async #enqueue(id, frame) {
    this.#check(this.#queue.length);
    return new Promise((resolve, reject) => {
      this.#queue.push({ id, frame, resolve, reject, isSent: false, firstSentAt: null });
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
    return this.#client._send(item.frame);
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
    this.state = 'subscribing';
    if (!this.#queue[0]?.isSent) return;
    this.#queue[0].isSent = false;
    /* Too big (RFC 6455 7.4.1): sent again on each connection, it would end each connection. */
    if (code === 1009) this.#queue.shift().reject(new RingcastError('something was too big for the server', code));
  }

  _refused(error) {
    this.state = 'refused';
    this._rejectAll(error);
    this._emit('error', error);
  }

  _succeeded({ offset, epoch, recovered, presence }) {
    const asked = this.position;
    const isFirst = !this._wasSubscribed;
    const hasHistory = Number.isInteger(offset);
    const isWhole = hasHistory && recovered === true && asked?.epoch === epoch;
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
    if (!isWhole && asked !== null) this._emit('gap', { position: this.position });
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
    const isGap = !isSameLog && this.position !== null;
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

  #told(event, data) {
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

  _answered({ rid, error, code, items, epoch, offset, more }) {
    const request = this.#requests.get(rid);
    this.#requests.delete(rid);
    if (error !== undefined) return request?.reject(new RingcastError(error, code, code === 503));
    const events = items?.map((item) => new RingcastEvent(item.name, { epoch, ...item }, true)) ?? [];
    return request?.resolve({ items: events, epoch, offset, more: more === true });
  }
}

/** The connection to a server, and its channels.
 *   user     the channel of events for the user that is signed in; bind() may be called before
 *   userId   that user
 * on():
 *   'state'       the new `state`
 *   'signed-in'   { id, info } of the user, on each connection again
 *   'error'       a RingcastError: what the server says about no channel (refused subscriptions it tells here, too),
 *                 or what signIn() threw (code 'sign-in') */
export class Ringcast extends Emitter {
  user = new Channel(this, null, null);
  userId = null;
  #url;
  #state = { name: 'closed' };
  #channels = new Map();
  #link = null;               /* the one connection that counts; what other sockets say is ignored */
  #failures = 0;              /* attempts since a connection lasted; the exponent of the delay */
  #retryTimer = 0;

  /** Does not connect. Only `key` is needed in a page that the server gave out.
   *   key         of the app
   *   url         ws[s]://host[:port][/prefix] of the server; default: where the page came from
   *   authorize   async ({ socketId, channel }) => { auth, channel_data }, as the application's endpoint answers, for
   *               private and presence channels. Throws without permission; retry: true in the error: ask again.
   *   signIn      async ({ socketId }) => { auth, user_data }; if given, each connection signs in. Throws likewise.
   *   WebSocket   the class to use; default: the global one (Node has one from 22 on)
   * and the times of DEFAULTS. */
  constructor(options) {
    super();
    this._options = { ...DEFAULTS, WebSocket: globalThis.WebSocket, ...options };
    const base = (options.url ?? location.origin.replace(/^http/, 'ws')).replace(/\/+$/, '');
    this.#url = `${base}/app/${encodeURIComponent(options.key)}?protocol=7&client=ringcast`;
  }

  /** { name, retryAt, code, reason }. name: 'closed' (before connect(), after close()), 'connecting', 'open',
   * 'waiting' (for the attempt at `retryAt`, ms since 1970), 'failed' (waiting will not help; connect() tries again).
   * With the last two, code and reason of the close: 1006 if the connection broke or fell silent. */
  get state() { return this.#state; }

  /** Of the open connection, else null. */
  get socketId() { return this.#link?.socketId ?? null; }

  /** Connects, if that is not done already; at once while an attempt is waited for. */
  connect() { if (this.#link === null) this.#dial(); }

  /** The network is back, or somebody looks at the page again: ends a wait, and finds out whether an open connection
   * still is one. Nothing after close() or a failure. */
  retryNow() {
    if (this.#state.name === 'waiting') this.#dial();
    else if (this.#state.name === 'open') this.#ping(this.#link);
  }

  /** Ends connection and timers, rejects what is pending. The channels stay: connect() goes on with them. */
  close() {
    this.#unlink();
    this.#end({ name: 'closed', code: 'closed', reason: 'the client was closed' });
  }

  /** The channel of this name, subscribed to as soon as there is a connection; the same one until unsubscribe(). If
   * it was refused it is tried again. `position`: go on from there, the position of an earlier channel. */
  subscribe(name, { position = null } = {}) {
    if (typeof name !== 'string' || !CHANNEL_NAME.test(name)) throw new TypeError(`${name} is no name of a channel`);
    const channel = this.#channels.get(name) ?? new Channel(this, name, position);
    if (this.#channels.has(name) && channel.state !== 'refused') return channel;
    channel.state = 'subscribing';
    this.#channels.set(name, channel);
    this.#ask(channel);
    return channel;
  }

  /** The channel of this name if it is not unsubscribed. */
  channel(name) { return this.#channels.get(name); }

  _send(frame) {
    if (this.socketId === null) return false;
    this.#link.socket.send(JSON.stringify(frame));
    return true;
  }

  /* While an answer is awaited, #settled() unsubscribes when it has come. */
  _leave({ name, state }) {
    this.#channels.delete(name);
    if (state === 'subscribed') this._send({ event: 'pusher:unsubscribe', data: { channel: name } });
  }

  #all() { return new Set([this.user, ...this.#channels.values()]); }

  #enter(state) {
    this.#state = state;
    this._emit('state', state);
  }

  /* No further attempt: whoever waits is told. */
  #end(state) {
    const { code, reason } = state;
    for (const channel of this.#all()) channel._rejectAll(new RingcastError(reason || 'refused by the server', code));
    this.#enter(state);
  }

  #dial() {
    clearTimeout(this.#retryTimer);
    const link = { socketId: null, openedAt: Infinity, awaited: new Map() };
    link.whenSignedIn = new Promise((resolve) => { link.signInDone = resolve; });
    try {
      link.socket = new this._options.WebSocket(this.#url);
    } catch (error) {    /* no address, or a policy */
      return this.#end({ name: 'failed', code: null, reason: error.message });
    }
    this.#link = link;
    link.timer = setTimeout(() => this.#giveUp(link), this._options.connectTimeoutMs);
    link.socket.onmessage = ({ data }) => this.#received(link, data);
    link.socket.onclose = ({ code, reason }) => this.#lost(link, code, reason);
    link.socket.onerror = () => {};    /* the close that follows tells */
    return this.#enter({ name: 'connecting' });
  }

  #giveUp(link) {
    this.#lost(link, 1006, 'no answer');
    link.socket.terminate?.();    /* npm's ws would wait for the answer to its close */
  }

  /* One at a time, or whoever asks often enough would never learn that there is no answer. */
  #ping(link) {
    if (link.isPinged) return;
    link.isPinged = true;
    clearTimeout(link.timer);
    link.timer = setTimeout(() => this.#giveUp(link), this._options.pongTimeoutMs);
    this._send({ event: 'pusher:ping', data: {} });
  }

  #unlink(code) {
    clearTimeout(this.#retryTimer);
    if (this.#link !== null) {
      const { socket, timer } = this.#link;
      clearTimeout(timer);
      socket.onmessage = socket.onclose = null;    /* whatever it has still to say */
      socket.close(1000);
      this.#link = null;
    }
    for (const channel of this.#all()) channel._disconnected(code);
  }

  /* 42xx: come back at once; but who keeps saying so is not to be hammered. 41xx: not within a second. */
  #lost(link, code, reason) {
    this.#unlink(code);
    if (code >= 4000 && code < 4100) return this.#end({ name: 'failed', code, reason });
    if (Date.now() - link.openedAt >= this._options.steadyMs) this.#failures = 0;
    const floorMs = code >= 4100 && code < 4200 ? 2 * this._options.retryFirstMs : 0;
    const isNow = code >= 4200 && code < 4300 && this.#failures === 0;
    const delayMs = isNow ? 0 : floorMs + jitteredMs(this._options, this.#failures);
    this.#failures += 1;
    this.#retryTimer = setTimeout(() => this.#dial(), delayMs);
    return this.#enter({ name: 'waiting', retryAt: Date.now() + delayMs, code, reason });
  }

  #received(link, text) {
    const frame = typeof text === 'string' ? fromJson(text) : null;
    if (typeof frame?.event !== 'string') return undefined;
    if (link.socketId !== null) this.#heard(link);
    const data = frame.event.startsWith('pusher') ? payload(frame) : null;
    switch (frame.event) {
      case 'pusher:connection_established': return this.#greeted(link, data);
      case 'pusher:error': return this._emit('error', new RingcastError(String(data.message), data.code));
      case 'pusher:ping': return this._send({ event: 'pusher:pong', data: {} });
      case 'pusher:signin_success': return this.#signedIn(link, Object(fromJson(data.user_data)));
      case 'pusher_internal:subscription_succeeded': return this.#settled(link, frame.channel, data, true);
      case 'pusher:subscription_error': return this.#settled(link, frame.channel, data, false);
      case 'pusher_internal:ringcast_ack': return this.#channels.get(data.channel)?._acknowledged(data);
      case 'pusher_internal:ringcast_history': return this.#channels.get(data.channel)?._answered(data);
      default: return this.#channels.get(frame.channel)?._received(frame);
    }
  }

  #heard(link) {
    clearTimeout(link.timer);
    link.isPinged = false;
    link.timer = setTimeout(() => this.#ping(link), link.silenceMs);
  }

  #greeted(link, { socket_id: socketId, activity_timeout: seconds }) {
    if (link.socketId !== null || typeof socketId !== 'string') return;
    link.silenceMs = Math.min(seconds > 0 ? seconds * 1000 : Infinity, this._options.activityTimeoutMs);
    link.openedAt = Date.now();
    link.socketId = socketId;
    this.#heard(link);
    this.#signIn(link);
    for (const channel of [...this.#channels.values()]) this.#ask(channel);
    if (link === this.#link) this.#enter({ name: 'open' });
  }

  /* Sends the subscription when the application has given its signature. Only the last question about a channel
   * counts, and it waits for the answer to a subscription of that name that was given up. */
  async #ask(channel) {
    const link = this.#link;
    const { name } = channel;
    if (this.socketId === null || channel.state !== 'subscribing') return;
    const question = channel._question = {};
    const isStale = () => link !== this.#link || channel._question !== question || channel.state !== 'subscribing';
    let answer = {};
    try {
      if (SIGNED.test(name)) answer = await this._options.authorize({ socketId: link.socketId, channel: name });
    } catch (error) {
      if (isStale()) return;
      if (error?.retry === true) channel._later(() => this.#ask(channel));
      else channel._refused(new RingcastError(error?.message ?? String(error), error?.code ?? 'refused'));
      return;
    }
    const { auth = '', channel_data } = Object(answer);
    const needsUser = name.startsWith(USER_CHANNEL) || (name.startsWith('presence-') && channel_data === undefined);
    if (needsUser && this._options.signIn) await link.whenSignedIn;
    if (isStale() || link.awaited.has(name)) return;
    const myId = fromJson(channel_data)?.user_id ?? this.userId;
    channel.myId = myId === null ? null : String(myId);
    link.awaited.set(name, channel);
    const data = { channel: name, auth, channel_data, recover: channel.position ?? true };
    this._send({ event: 'pusher:subscribe', data });
  }

  #settled(link, name, data, isSuccess) {
    const asked = link.awaited.get(name);
    const channel = this.#channels.get(name);
    if (!link.awaited.delete(name)) return;
    if (asked !== channel) {    /* unsubscribed meanwhile, and perhaps subscribed again */
      if (isSuccess) this._send({ event: 'pusher:unsubscribe', data: { channel: name } });
      if (channel !== undefined) this.#ask(channel);
    } else if (isSuccess) channel._succeeded(data);
    else channel._refused(new RingcastError(data.error ?? 'refused by the server', data.status ?? 'refused'));
  }

  async #signIn(link) {
    if (!this._options.signIn) return;
    try {
      const { auth, user_data } = await this._options.signIn({ socketId: link.socketId });
      if (link === this.#link) this._send({ event: 'pusher:signin', data: { auth, user_data } });
    } catch (error) {
      if (link !== this.#link) return;
      if (error?.retry === true) this.user._later(() => this.#signIn(link));
      else link.signInDone();    /* the server tells those who need it */
      this._emit('error', new RingcastError(error?.message ?? String(error), 'sign-in', error?.retry === true));
    }
  }

  #signedIn(link, { id, user_info: info = null }) {
    if (typeof id !== 'string') return;
    const name = USER_CHANNEL + id;
    this.userId = id;
    if (this.user.name !== name) {
      this.#channels.delete(this.user.name);
      Object.assign(this.user, { name, position: null, _wasSubscribed: false });
      this.#channels.set(name, this.user);
      this.#ask(this.user);
    }
    link.signInDone();
    this._emit('signed-in', { id, info });
  }
}
