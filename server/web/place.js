/* server/web/place.js - a place to write: a room, or a direct conversation with one person. Ties its thread to its
 * channel: history when it opens, what is said, own messages until the server has them, and gaps.
 *
 * A room is the public channel of its name (room_name.js), where everybody writes "NAME: text" as the event
 * "message". A direct conversation is a private channel of two guests with the event "client-message". */

import { readNamed } from '/identity.js';
import { OwnMessages } from '/own.js';
import { isTextList, recall, remember } from '/storage.js';
import { Thread } from '/thread.js';
import { forgetPlace, forgetWaiting, keepWaiting, waitingOf } from '/unsent.js';

const PAGE = 50;            /* messages asked for at a time */
const MISSED_MAX = 500;     /* missed ones that are asked for at once after a gap */
const PAGE_MAX = 1000;      /* where a page holds nothing but other events, the next one is so large */
const TRIES_MAX = 5;        /* for a page that fits; each one too many means that the thread has changed meanwhile */
const ECHOES_MAX = 100;
const ALIKE_MAX = 100;      /* messages like one on its way, which are not shown before it is known which one it is */
const PRESENCE_NAME_MAX = 200 - 'presence-'.length;

/* The server's close code: it was started again, with another key. */
export const UNKNOWN_KEY = 4001;

const CLOSED = { code: 'unsubscribed', message: 'it was closed here; open it again to write' };

/* Nobody has refused anything: what the channel had to do is done by the next one, if there is one. */
const isOver = ({ code }) => code === UNKNOWN_KEY || code === CLOSED.code;

const isPosition = (value) => Array.isArray(value) && isTextList([value[0]]) && Number.isInteger(value[1]);

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class Place {
  kind;                 /* 'room' or 'direct' */
  name;                 /* of the room; of the other person, as last heard */
  peer = null;          /* the other person's id */
  channelName;
  channel = null;
  thread = new Thread();
  refusal = null;       /* why we are not let in */
  isOpened = false;     /* listed without a message too */
  isChosen = false;     /* by us, in this window: what it holds is being looked at */
  #own;
  #identity;
  #told;                /* { arrived(place, item), ready(place), changed(place) } */
  #held = [];           /* direct messages that wait for somebody who is not there to keep them */
  #peerIsHere = false;
  #keeps = false;       /* the server keeps what is said in this direct conversation */
  #asksTimes = false;
  #isLoading = false;   /* the first page is on its way */
  #gap = null;          /* { epoch } of what is being mended */
  #isEchoed;            /* the server returns to rooms what we send there */
  #echoes = [];         /* what is to come back as an event */

  constructor({ kind, name, peer = null, channelName, identity, isEchoed, told }) {
    Object.assign(this, { kind, name, peer, channelName });
    this.#identity = identity;
    this.#isEchoed = isEchoed && kind === 'room';
    this.#told = told;
    this.#own = new OwnMessages(channelName, identity.person);
    for (const item of waitingOf(channelName)) this.#restore(item);
    const read = recall('localStorage', `read ${channelName}`, isPosition);
    if (read !== null) [this.thread.readEpoch, this.thread.readOffset] = read;
  }

  get title() { return this.kind === 'room' && this.name === 'lobby' ? 'Lobby' : this.name; }

  get presenceName() {
    const isRoom = this.kind === 'room' && this.channelName.length <= PRESENCE_NAME_MAX;
    return isRoom ? `presence-${this.channelName}` : null;
  }

  get isWaiting() { return this.#held.length > 0 && this.channel?.state === 'subscribed'; }

  get #eventName() { return this.kind === 'room' ? 'message' : 'client-message'; }

  /* Connects, or goes on with another client from where the one before was. */
  connect(client) {
    const old = this.channel;
    this.channel = client.subscribe(this.channelName, { position: old?.position ?? null });
    if (old !== this.channel) old?.unsubscribe();
    this.channel.on('subscribed', (what) => this.#subscribed(what));
    this.channel.on('gap', ({ position }) => this.#missed(position));
    this.channel.on('error', (error) => {
      this.refusal = error.message;
      this.#told.changed(this);
    });
    this.channel.bind(this.#eventName, (event) => this.#heard(event));
    if (this.kind === 'direct') {
      this.channel.bind('client-here', (event) => this.#peerCame(event));
    }
    if (this.kind === 'room') this.#publishHeld();
  }

  leave() {
    this.channel?.unsubscribe();
    this.channel = null;
    for (const item of this.#held.splice(0)) this.#dispatch(item);
  }

  /* What this browser has remembered of it. */
  forget() {
    forgetPlace(this.channelName);
    remember('localStorage', `read ${this.channelName}`, null);
    remember('localStorage', OwnMessages.keyOf(this.channelName), null);
  }

  /* ---- What is said ------------------------------------------------------------------------------------------- */

  #itemOf(event) {
    const named = this.kind === 'room' ? readNamed(event.data) : this.#readDirect(event);
    if (named === null) return null;
    const own = named.own ?? this.#own.has(event.epoch, event.offset);
    return { kind: 'message', at: event.timeMs ?? Date.now(), offset: event.offset, state: 'sent', ...named, own };
  }

  /* The sender may write there what it likes; only what the server says of it is sure. */
  #readDirect({ json, userId }) {
    if (typeof json?.text !== 'string') return null;
    const own = (userId ?? json.from) === this.#identity.id;
    return { text: json.text, sender: String(json.name ?? this.name).slice(0, 80), own };
  }

  #heard(event) {
    if (this.#isEcho(event)) return;
    const item = this.#take(event);
    if (item === null) return;
    if (event.isReplayed) this.#askTimes(event.offset - 1);
    this.#arrived(item);
  }

  /* Puts what is said where it belongs; null if nothing new stands there then. */
  #take(event) {
    if (event.name !== this.#eventName || this.#mayBeWaiting(event) || this.#isUncertain(event)) return null;
    const item = this.#itemOf(event);
    return item !== null && this.thread.add(item) >= 0 ? item : null;
  }

  #arrived(item) {
    if (this.kind === 'direct' && !item.own) this.name = item.sender;
    this.#told.arrived(this, item);
    this.thread.trimFar();
  }

  #isEcho({ data, offset, epoch }) {
    const echo = this.#echoes.find(({ wire }) => wire === data);
    if (echo === undefined) return false;
    this.#forgetEcho(echo);
    this.#published(echo, { offset, epoch });
    return true;
  }

  #forgetEcho(item) { this.#echoes = this.#echoes.filter((echo) => echo !== item); }

  /* Could this be that own message? Who sent an event to a room the server does not say. */
  #isLike(item, { data, offset, epoch, userId }) {
    return item.wire === data && item.epoch === epoch && offset > item.after
      && (userId === null || userId === this.#identity.id);
  }

  /* Said by us or by somebody else who says the same: the answer to ours will tell. */
  #mayBeWaiting(event) {
    const item = this.thread.items.findLast((other) => other.state === 'sending' && this.#isLike(other, event));
    if (item === undefined || item.alike?.length === ALIKE_MAX) return false;
    (item.alike ??= []).push(event);
    return true;
  }

  /* An own message of which nobody knew whether it was published: it was. */
  #isUncertain(event) {
    const item = this.thread.findUncertain(event.data);
    if (item === undefined || !this.#isLike(item, event)) return false;
    this.#published(item, event);
    this.#told.changed(this);
    return true;
  }

  /* What is replayed comes without its time; the history has it. */
  async #askTimes(since) {
    if (this.#asksTimes) return;
    this.#asksTimes = true;
    try {
      const { items, epoch } = await this.channel.history({ since, limit: MISSED_MAX });
      for (const { offset, timeMs } of epoch === this.thread.epoch ? items : []) {
        const known = this.thread.items.findLast((item) => item.offset === offset);
        if (known !== undefined) this.thread.change(known, { at: timeMs });
      }
    } catch { /* the time of its arrival stays */ }
    this.#asksTimes = false;
  }

  /* ---- History ------------------------------------------------------------------------------------------------ */

  async #subscribed({ recovered, position }) {
    this.refusal = null;
    const { thread } = this;
    if (!thread.isReady) await this.#loadFirst(position);
    else if (recovered === null) this.#note('Connected again. What was said meanwhile is not shown.');
    if (this.kind === 'direct' && !this.#isKept) this.#sayHere(true);
    this.#sendHeld();
    this.#told.changed(this);
  }

  /* One at a time: when the connection is lost meanwhile, ringcast.js asks again on the next one. */
  async #loadFirst(position) {
    const { thread } = this;
    if (this.#isLoading) return;
    this.#isLoading = true;
    let more = false;
    try {
      if (position !== null) more = await this.#loadNewest(position.epoch);
    } catch (error) {
      if (isOver(error)) return;
      more = error.code !== 404;    /* the view asks again, and says so */
    } finally {
      this.#isLoading = false;
    }
    thread.isReady = true;
    thread.hasOlder = more;
    this.#countMissed();
    this.#told.ready(this);
  }

  async #loadNewest(epoch) {
    const { thread } = this;
    thread.enterEpoch(epoch);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const page = await this.channel.history({ limit: PAGE });
      if (page.epoch !== thread.epoch) continue;    /* lost while the answer was on its way */
      for (const event of page.items) this.#take(event);
      return page.more;
    }
    throw new Error('the history changes while it is read');
  }

  /* New since this browser looked here the last time. Who enters a room for the first time has missed nothing; who
   * is written to for the first time has. */
  #countMissed() {
    const { thread } = this;
    if (thread.readEpoch === null && (this.kind === 'room' || this.isChosen)) return thread.markRead();
    const isNew = ({ kind, own, offset }) => kind === 'message' && !own
      && (thread.readEpoch !== thread.epoch || offset === null || offset > thread.readOffset);
    const missed = thread.items.filter(isNew);
    thread.setUnread(missed);
    thread.unreadIsMore = thread.hasOlder && missed.length > 0 && missed[0] === thread.items[0];
    return undefined;
  }

  /* Something may have been missed. Without a position there is no history any more, and it was said already. */
  #missed(position) {
    const { thread } = this;
    if (position === null) return;
    if (thread.isReady) {
      this.#mend(position.epoch);
    } else {    /* what came before would stand above a hole; the first page brings it again */
      thread.replace([]);
      thread.enterEpoch(position.epoch);
    }
  }

  /* What is here stays; what the history has follows; between them it is said, unless it turns out that the one
   * continues the other. Who asks already is asked again by ringcast.js after another break; another epoch is another
   * gap, and its own answer. */
  async #mend(epoch) {
    const { thread } = this;
    if (this.#gap?.epoch === epoch) return;
    const known = thread.epoch === epoch ? thread.newest : 0;
    thread.enterEpoch(epoch);
    const note = thread.items.length > 0 ? this.#note('Some messages may be missing here') : null;
    const gap = this.#gap = { epoch };
    try {
      let page = await this.channel.history(known > 0 ? { since: known, limit: MISSED_MAX } : { limit: PAGE });
      if (known > 0 && page.more) page = await this.channel.history({ limit: PAGE });
      if (gap === this.#gap && page.epoch === epoch) this.#fillGap(page, known, note);
    } catch { /* the note says it */ }
    if (gap === this.#gap) this.#gap = null;
    this.#told.changed(this);
  }

  #fillGap({ items, offset, more }, known, note) {
    const { thread } = this;
    const follows = items.length === 0 ? offset : items[0].offset - 1;
    if (known > 0 && follows === known && note !== null) thread.remove(note);
    if (note === null) thread.hasOlder = more;
    for (const event of items) {
      const item = this.#take(event);
      if (item !== null) this.#arrived(item);
    }
  }

  #note(text) {
    const note = { kind: 'note', text, at: Date.now(), offset: null, state: 'sent', own: false };
    this.thread.add(note);
    return note;
  }

  /* Resolves to how many came, rejects when the history cannot be read now. An answer of another log, or for a place
   * where the thread does not begin any more (it was trimmed meanwhile), is dropped and asked for again. */
  async loadOlder() {
    const { thread } = this;
    for (let tries = 0; tries < TRIES_MAX && thread.hasOlder; tries++) {
      const { epoch, oldest } = thread;
      const page = await this.#pageBefore(oldest);
      if (page.epoch !== epoch || thread.epoch !== epoch || thread.oldest !== oldest) continue;
      thread.hasOlder = page.more;
      return thread.prepend(page.found);
    }
    if (thread.hasOlder) throw new Error('the history changes while it is read');
    return 0;
  }

  /* The messages before this offset, some at least if there are any: what only typed is on record, too. */
  async #pageBefore(oldest) {
    let before = oldest ?? undefined;
    for (let limit = PAGE; ; limit = PAGE_MAX) {
      const { epoch, items, more } = await this.channel.history({ before, limit });
      const found = items.filter(({ name }) => name === this.#eventName).map((event) => this.#itemOf(event))
        .filter((item) => item !== null);
      const hasMore = more && items.length > 0;
      if (found.length > 0 || !hasMore) return { epoch, found, more: hasMore };
      before = items[0].offset;
    }
  }

  /* Another window has published; `added`: what of that we have undone. */
  recallOwn(addedEpoch, added) {
    const { items, epoch } = this.thread;
    if (added.length > 0) this.#own.addAgain(addedEpoch, added);
    this.#own.recall();
    for (const item of items) {
      if (!item.own && this.#own.has(epoch, item.offset)) this.thread.change(item, { own: true });
    }
  }

  rememberRead() {
    const { readEpoch, readOffset } = this.thread;
    if (readEpoch !== null) remember('localStorage', `read ${this.channelName}`, [readEpoch, readOffset]);
  }

  /* ---- Own messages ------------------------------------------------------------------------------------------- */

  /* The text as it goes out. */
  wire(text) {
    const { name, id } = this.#identity;
    return this.kind === 'room' ? `${name}: ${text}` : JSON.stringify({ text, name, from: id });
  }

  send(text) {
    const item = {
      kind: 'message', text, at: Date.now(), sender: this.#identity.name, own: true, offset: null, state: 'sending',
      id: newId(), wire: this.wire(text), after: this.thread.isReady ? this.thread.newest : Infinity,
      epoch: this.thread.epoch, firstSentAt: null,
    };
    this.thread.forgetLine();
    this.thread.add(item);
    this.#dispatch(item);
    this.#told.changed(this);
  }

  /* The same id: should the first one have arrived after all, it is not published twice. */
  retry(item) {
    this.thread.change(item, { state: 'sending', reason: '', code: null, firstSentAt: null });
    this.#dispatch(item);
  }

  discard(item) {
    this.thread.remove(item);
    forgetWaiting(item.id);
  }

  /* Written before the page was loaded again, and perhaps sent. */
  #restore({ at, after, ...item }) {
    const restored = {
      kind: 'message', own: true, offset: null, ...item, at, after: after ?? Infinity, firstSentAt: at,
    };
    this.thread.items.push(restored);
    if (item.state === 'sending') this.#held.push(restored);
  }

  #dispatch(item) {
    if (this.channel === null) return this.thread.fail(item.id, CLOSED.message, CLOSED.code);
    keepWaiting(this.channelName, item);
    this.#held.push(item);
    return this.kind === 'room' ? this.#publishHeld() : this.#sendHeld();
  }

  get #isKept() { return this.#keeps || this.thread.newest > 0; }

  /* Greets the other one, who greets back; the acknowledgement says whether the server keeps what is said here. */
  async #sayHere(wantsAnswer) {
    try {
      const { offset } = await this.channel.publish('client-here', { answer: wantsAnswer });
      this.#keeps = offset !== null;
    } catch (error) {
      if (isOver(error)) return;
      this.#keeps = true;    /* what is said will be refused as well, and then shown as such */
    }
    this.#sendHeld();
    this.#told.changed(this);
  }

  /* Where nothing is kept, a direct message would be lost on somebody who has not come yet. */
  #sendHeld() {
    if (this.channel?.state === 'subscribed' && (this.#isKept || this.#peerIsHere)) this.#publishHeld();
  }

  #publishHeld() {
    for (const item of this.#held.splice(0)) this.#publish(item);
  }

  async #publish(item) {
    const { channel } = this;
    if (this.#isEchoed) this.#echoes = [...this.#echoes, item].slice(-ECHOES_MAX);
    const { id, firstSentAt } = item;
    try {
      const answer = this.kind === 'room' ? await channel.publishToRoom(item.wire, { id, firstSentAt })
        : await channel.publish(this.#eventName, item.wire, { id, firstSentAt });
      if (answer.offset !== null) this.#forgetEcho(item);    /* ringcast.js keeps it to itself now */
      this.#published(item, answer);
      this.#takeAlike(item);
    } catch (error) {
      this.#forgetEcho(item);
      if (!isOver(error)) this.#notPublished(item, error);
      else if (channel !== this.channel) this.#dispatch(item);
      else this.#held.push(item);    /* connect() with the key of today sends it */
    }
    this.#told.changed(this);
  }

  #published({ id }, { offset, epoch }) {
    this.thread.acknowledge(id, epoch === this.thread.epoch ? offset : null);
    if (this.kind === 'room' && offset !== null) this.#own.add(epoch, offset);
    forgetWaiting(id);
  }

  #notPublished(item, { code, message }) {
    const heard = code === 'uncertain' ? item.alike?.shift() : undefined;
    if (heard !== undefined) {
      this.#published(item, heard);    /* a replay has brought it */
    } else {
      this.thread.fail(item.id, message, code);
      if (this.channel !== null) keepWaiting(this.channelName, item);
    }
    this.#takeAlike(item);
  }

  /* What was not ours. */
  #takeAlike(item) {
    const events = item.alike?.splice(0) ?? [];
    for (const event of events) if (event.epoch === this.thread.epoch) this.#heard(event);
  }

  /* Our own other windows greet as well. */
  #peerCame({ json, isReplayed, userId }) {
    if (isReplayed || userId === this.#identity.id) return;
    this.#peerIsHere = true;
    if (json?.answer === true) this.#sayHere(false);
    this.#sendHeld();
    this.#told.changed(this);
  }

  /* The other one has left the room that we share, perhaps only for another room: who is there answers. */
  peerLeft() {
    if (this.kind !== 'direct' || this.#isKept || !this.#peerIsHere) return;
    this.#peerIsHere = false;
    this.#sayHere(true);
  }

  disconnected() {
    this.#peerIsHere = false;
    this.#echoes = this.#echoes.filter(({ state }) => state === 'sending');    /* the others do not come any more */
  }
}
