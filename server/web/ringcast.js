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
 * begins with _ is for these two files alone: Channel, RingcastEvent and RingcastError are in ringcast_channel.js. */

import { Channel, Emitter, fromJson, jitteredMs, payload, RingcastError, toJson } from './ringcast_channel.js';

export { RingcastError, RingcastEvent } from './ringcast_channel.js';

const SIGNED = /^(private|presence)-/;
const CHANNEL_NAME = /^(#server-to-user-)?[A-Za-z0-9_\-=@,.;]{1,200}$/;
const USER_CHANNEL = '#server-to-user-';
const RETRY_AFTER_MS_MAX = 3_600_000;    /* a server that says more is not believed */

const isPosition = ({ epoch, offset }) => typeof epoch === 'string' && Number.isSafeInteger(offset) && offset >= 0;

const DEFAULTS = {    /* of the options of new Ringcast() that are times */
  retryFirstMs: 500,              /* delays are random below a ceiling: this one, doubled with each failure */
  retryMaxMs: 30_000,
  steadyMs: 10_000,               /* a connection that lasted this long starts the delays afresh */
  connectTimeoutMs: 10_000,       /* for all up to the server's greeting */
  activityTimeoutMs: 120_000,     /* silence before a ping, if the server does not ask for less */
  pongTimeoutMs: 10_000,          /* silence after it that ends the connection; before it while an answer is awaited */
  sendAgainMs: 9 * 60_000,        /* how long a message may be sent again: the server knows its id for 10 minutes */
};

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
    if (position !== null && !isPosition(position)) throw new TypeError('a position is { epoch, offset } of a channel');
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
    this.#link.socket.send(toJson(frame));
    return true;
  }

  /* Sends what is answered: a line that is dead is to be noticed. */
  _request(frame) {
    const isSent = this._send(frame);
    if (isSent && !this.#link.isPinged && !this.#link.isWatched) this.#watch(this.#link, true);
    return isSent;
  }

  /* Why nothing will be sent until connect(); null if it may be. */
  get _ending() {
    const { name, code, reason } = this.#state;
    if (name === 'waiting' || code === undefined) return null;
    return new RingcastError(reason || 'refused by the server', code);
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
    this.#state = state;
    for (const channel of this.#all()) channel._rejectAll(this._ending);
    this.#enter(state);
  }

  #dial() {
    clearTimeout(this.#retryTimer);
    const link = { socketId: null, openedAt: Infinity, awaited: new Map(), isSigningIn: false };
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

  /* The timer of a tab or machine that was suspended fires late, and before what lies in the socket is heard: that may
   * be the answer, so it has one turn of the loop. */
  #giveUp(link) {
    link.timer = setTimeout(() => {
      this.#lost(link, 1006, 'no answer');
      link.socket.terminate?.();    /* npm's ws would wait for the answer to its close */
    }, 0);
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

  /* 42xx: come back at once; but who keeps saying so is not to be hammered. 41xx: not within a second. A server that
   * stops says to each client when, so that they do not all come at once. */
  #lost(link, code, reason) {
    this.#unlink(code);
    if (code >= 4000 && code < 4100) return this.#end({ name: 'failed', code, reason });
    if (Date.now() - link.openedAt >= this._options.steadyMs) this.#failures = 0;
    const leastMs = link.retryAfterMs ?? (code >= 4100 && code < 4200 ? 2 * this._options.retryFirstMs : 0);
    const isTold = link.retryAfterMs !== undefined || (code >= 4200 && code < 4300);
    const delayMs = isTold && this.#failures === 0 ? leastMs : leastMs + jitteredMs(this._options, this.#failures);
    this.#failures += 1;
    this.#retryTimer = setTimeout(() => this.#dial(), delayMs);
    return this.#enter({ name: 'waiting', retryAt: Date.now() + delayMs, code, reason });
  }

  #received(link, text) {
    const frame = typeof text === 'string' ? fromJson(text) : null;
    if (typeof frame?.event !== 'string') return undefined;
    const data = frame.event.startsWith('pusher') ? payload(frame) : null;
    this.#take(link, frame, data);
    if (link === this.#link && link.socketId !== null) this.#heard(link);
    return undefined;
  }

  #take(link, frame, data) {
    switch (frame.event) {
      case 'pusher:connection_established': return this.#greeted(link, data);
      case 'pusher:error': return this.#erred(link, data);
      case 'pusher:ping': return this._send({ event: 'pusher:pong', data: {} });
      case 'pusher:signin_success': return this.#signedIn(link, Object(fromJson(data.user_data)));
      case 'pusher_internal:subscription_succeeded': return this.#settled(link, frame.channel, data, true);
      case 'pusher:subscription_error': return this.#settled(link, frame.channel, data, false);
      case 'pusher_internal:ringcast_ack': return this.#acknowledged(data);
      case 'pusher_internal:ringcast_history': return this.#all().forEach((channel) => channel._answered(data));
      default: return this.#channels.get(frame.channel)?._received(frame);
    }
  }

  #erred(link, { message, code, retry_after_ms: retryAfterMs }) {
    const isTime = Number.isFinite(retryAfterMs) && retryAfterMs >= 0 && retryAfterMs <= RETRY_AFTER_MS_MAX;
    if (isTime) link.retryAfterMs = retryAfterMs;
    this._emit('error', new RingcastError(String(message), code));
  }

  /* The id says which message. The channel is left out if the server takes its name for none, as it does a user's. */
  #acknowledged(data) {
    const channels = data.channel === undefined ? this.#all() : [this.#channels.get(data.channel)];
    for (const channel of channels) channel?._acknowledged(data);
  }

  /* Whatever came, the line lives. */
  #heard(link) {
    link.isPinged = false;
    this.#watch(link, this.#isAnswerDue(link));
  }

  /* Pings after a silence, sooner while an answer is due. */
  #watch(link, isAnswerDue) {
    const { silenceMs } = link;
    clearTimeout(link.timer);
    link.isWatched = isAnswerDue;
    link.timer = setTimeout(() => this.#ping(link),
      isAnswerDue ? Math.min(silenceMs, this._options.pongTimeoutMs) : silenceMs);
  }

  #isAnswerDue(link) {
    if (link.awaited.size > 0 || link.isSigningIn) return true;
    for (const channel of this.#channels.values()) if (channel._isAnswerDue) return true;
    return false;
  }

  #greeted(link, { socket_id: socketId, activity_timeout: seconds }) {
    if (link.socketId !== null || typeof socketId !== 'string') return;
    link.silenceMs = Math.min(seconds > 0 ? seconds * 1000 : Infinity, this._options.activityTimeoutMs);
    link.openedAt = Date.now();
    link.socketId = socketId;
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
    const auth = answer?.auth ?? '';
    const channel_data = answer?.channel_data ?? undefined;
    const needsUser = name.startsWith(USER_CHANNEL) || (name.startsWith('presence-') && channel_data === undefined);
    if (needsUser && this._options.signIn) await link.whenSignedIn;
    if (isStale() || link.awaited.has(name)) return;
    if (typeof auth !== 'string' || typeof (channel_data ?? '') !== 'string') {
      channel._refused(new RingcastError('authorize() gave auth or channel_data that is no string', 'refused'));
      return;
    }
    const myId = fromJson(channel_data)?.user_id ?? this.userId;
    channel.myId = myId === null ? null : String(myId);
    link.awaited.set(name, channel);
    const data = { channel: name, auth, channel_data, recover: channel.position ?? true };
    this._request({ event: 'pusher:subscribe', data });
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
      if (link !== this.#link) return;
      link.isSigningIn = true;
      this._request({ event: 'pusher:signin', data: { auth, user_data } });
    } catch (error) {
      if (link !== this.#link) return;
      const told = new RingcastError(error?.message ?? String(error), 'sign-in', error?.retry === true);
      if (told.retry) {
        this.user._later(() => this.#signIn(link));
      } else {
        this.user._refused(told);
        link.signInDone();    /* the server tells others who need it */
      }
      this._emit('error', told);
    }
  }

  #signedIn(link, { id, user_info: info = null }) {
    link.isSigningIn = false;
    if (typeof id !== 'string') return;
    const name = USER_CHANNEL + id;
    this.userId = id;
    if (this.user.name !== name && this.user.state !== 'unsubscribed') {
      this.#channels.get(name)?.unsubscribe();    /* one that the application has asked for by this name */
      this.#channels.delete(this.user.name);
      Object.assign(this.user, { name, position: null, _wasSubscribed: false });
      this.#channels.set(name, this.user);
      this.#ask(this.user);
    }
    link.signInDone();
    this._emit('signed-in', { id, info });
  }
}
