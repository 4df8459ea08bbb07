/* server/web/place.js - a place to write: a room, or a direct conversation with one person. Ties its thread to its
 * channel: history when it opens, what is said, own messages until the server has them, and gaps.
 *
 * A room is the public channel of its name, where everybody writes "NAME: text" as the event "message". A direct
 * conversation is a private channel of two guests with the event "client-message". */

import { readNamed } from '/identity.js';
import { isTextList, recall, remember } from '/storage.js';
import { Thread } from '/thread.js';

const PAGE = 50;            /* messages asked for at a time */
const MISSED_MAX = 500;     /* missed ones that are asked for at once after a gap */
const ECHOES_MAX = 100;
const PRESENCE_NAME_MAX = 200 - 'presence-'.length;

/* The server's close code: it was started again, with another key. */
export const UNKNOWN_KEY = 4001;

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
  isOpened = false;     /* chosen by us, so that it is listed without a message too */
  #identity;
  #told;                /* { arrived(place, item), ready(place), changed(place) } */
  #held = [];           /* direct messages that wait for somebody who is not there to keep them */
  #peerIsHere = false;
  #keeps = false;       /* the server keeps what is said in this direct conversation */
  #asksTimes = false;
  #isEchoed;            /* the server returns to rooms what we send there */
  #echoes = [];         /* what is to come back */

  constructor({ kind, name, peer = null, channelName, identity, isEchoed, told }) {
    Object.assign(this, { kind, name, peer, channelName });
    this.#identity = identity;
    this.#isEchoed = isEchoed && kind === 'room';
    this.#told = told;
    const read = recall('localStorage', `read ${channelName}`, isPosition);
    if (read !== null) [this.thread.readEpoch, this.thread.readOffset] = read;
  }

  get title() { return this.kind === 'room' && this.name === 'lobby' ? 'Lobby' : this.name; }

  get presenceName() {
    return this.kind === 'room' && this.name.length <= PRESENCE_NAME_MAX ? `presence-${this.name}` : null;
  }

  get isWaiting() { return this.#held.length > 0 && this.channel?.state === 'subscribed'; }

  get #eventName() { return this.kind === 'room' ? 'message' : 'client-message'; }

  /* Connects, or goes on with another client from where the one before was. */
  connect(client) {
    this.channel = client.subscribe(this.channelName, { position: this.channel?.position ?? null });
    this.channel.on('subscribed', (what) => this.#subscribed(what));
    this.channel.on('gap', ({ position }) => { if (this.thread.isReady) this.#mend(position); });
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
  }

  /* ---- What is said ------------------------------------------------------------------------------------------- */

  #itemOf(event, isOld) {
    const named = this.kind === 'room' ? readNamed(event.data) : this.#readDirect(event.json);
    if (named === null) return null;
    const own = named.own ?? (isOld && this.#identity.isOwnName(named.sender));
    return { kind: 'message', at: event.timeMs ?? Date.now(), offset: event.offset, state: 'sent', ...named, own };
  }

  #readDirect(json) {
    if (typeof json?.text !== 'string') return null;
    const own = json.from === this.#identity.id;
    return { text: json.text, sender: String(json.name ?? this.name).slice(0, 80), own };
  }

  #heard(event) {
    if (this.#isEcho(event)) return;
    const item = this.#itemOf(event, event.isReplayed);
    if (item === null || this.thread.add(item) < 0) return;
    if (event.isReplayed) this.#askTimes(event.offset - 1);
    if (this.kind === 'direct' && !item.own) this.name = item.sender;
    this.#told.arrived(this, item);
  }

  #isEcho({ data, offset }) {
    const index = this.#echoes.findIndex(({ wire }) => wire === data);
    if (index < 0) return false;
    const [{ id }] = this.#echoes.splice(index, 1);
    this.thread.acknowledge(id, offset);
    return true;
  }

  /* What is replayed comes without its time; the history has it. */
  async #askTimes(since) {
    if (this.#asksTimes) return;
    this.#asksTimes = true;
    try {
      const { items } = await this.channel.history({ since, limit: MISSED_MAX });
      for (const { offset, timeMs } of items) {
        const known = this.thread.items.findLast((item) => item.offset === offset);
        if (known !== undefined) this.thread.change(known, { at: timeMs });
      }
    } catch { /* the time of its arrival stays */ }
    this.#asksTimes = false;
  }

  #itemsOf(events) {
    return events.filter((event) => event.name === this.#eventName).map((event) => this.#itemOf(event, true))
      .filter((item) => item !== null);
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

  async #loadFirst(position) {
    const { thread } = this;
    if (position !== null) {
      thread.enterEpoch(position.epoch);
      try {
        const { items, more } = await this.channel.history({ limit: PAGE });
        const found = this.#itemsOf(items);
        for (const item of found) thread.add(item);
        thread.hasOlder = more;
        this.#countMissed(found, more);
      } catch (error) {
        thread.hasOlder = error.code !== 404;    /* the view asks again, and says so */
      }
    }
    thread.isReady = true;
    this.#told.ready(this);
  }

  /* New since this browser looked here the last time; who is here for the first time has missed nothing. */
  #countMissed(items, more) {
    const { thread } = this;
    if (thread.readEpoch === null) return thread.markRead();
    const isNew = (item) => !item.own && (thread.readEpoch !== thread.epoch || item.offset > thread.readOffset);
    const missed = items.filter(isNew);
    for (const item of missed) thread.countUnread(item);
    thread.unreadIsMore = more && missed.length > 0 && missed[0] === items[0];
    return undefined;
  }

  /* Something may have been missed. What is here stays; what the history has follows; between them it is said, unless
   * it turns out that the one continues the other. */
  async #mend({ epoch }) {
    const { thread } = this;
    const known = thread.epoch === epoch ? thread.newest : 0;
    thread.enterEpoch(epoch);
    const note = thread.items.length > 0 ? this.#note('Some messages may be missing here') : null;
    try {
      let page = await this.channel.history(known > 0 ? { since: known, limit: MISSED_MAX } : { limit: PAGE });
      if (known > 0 && page.more) page = await this.channel.history({ limit: PAGE });
      const follows = page.items.length === 0 ? page.offset : page.items[0].offset - 1;
      const isWhole = known > 0 && follows === known;
      if (isWhole && note !== null) thread.remove(note);
      if (note === null) thread.hasOlder = page.more;
      for (const item of this.#itemsOf(page.items)) if (thread.add(item) >= 0) this.#told.arrived(this, item);
    } catch { /* the note says it */ }
    this.#told.changed(this);
  }

  #note(text) {
    const note = { kind: 'note', text, at: Date.now(), offset: null, state: 'sent', own: false };
    this.thread.add(note);
    return note;
  }

  /* Resolves to how many came, rejects when the history cannot be read now. */
  async loadOlder() {
    const { thread } = this;
    const { items, more } = await this.channel.history({ before: thread.oldest ?? undefined, limit: PAGE });
    const count = thread.prepend(this.#itemsOf(items));
    thread.hasOlder = more && items.length > 0;
    if (more && count === 0 && items.length > 0) return this.#skipTo(items[0].offset);
    return count;
  }

  /* A page that holds no messages, only other events. */
  async #skipTo(before) {
    const { items, more } = await this.channel.history({ before, limit: 1000 });
    this.thread.hasOlder = more && items.length > 0;
    return this.thread.prepend(this.#itemsOf(items));
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
      id: newId(), wire: this.wire(text),
    };
    this.thread.forgetLine();
    this.thread.add(item);
    this.#dispatch(item);
    this.#told.changed(this);
  }

  /* The same id: should the first one have arrived after all, it is not published twice. */
  retry(item) {
    this.thread.change(item, { state: 'sending', reason: '' });
    this.#dispatch(item);
  }

  #dispatch(item) {
    this.#held.push(item);
    if (this.kind === 'room') this.#publishHeld();
    else this.#sendHeld();
  }

  get #isKept() { return this.#keeps || this.thread.newest > 0; }

  /* Greets the other one, who greets back; the acknowledgement says whether the server keeps what is said here. */
  async #sayHere(wantsAnswer) {
    try {
      const { offset } = await this.channel.publish('client-here', { answer: wantsAnswer });
      this.#keeps = offset !== null;
    } catch {
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
    const { thread, channel } = this;
    if (this.#isEchoed) this.#echoes = [...this.#echoes, item].slice(-ECHOES_MAX);
    try {
      const { offset } = this.kind === 'room' ? await channel.publishToRoom(item.wire, { id: item.id })
        : await channel.publish(this.#eventName, item.wire, { id: item.id });
      thread.acknowledge(item.id, offset);
    } catch (error) {
      if (error.code === UNKNOWN_KEY) this.#held.push(item);    /* connect() with the key of today sends it */
      else thread.fail(item.id, error.message);
    }
    this.#told.changed(this);
  }

  #peerCame({ json, isReplayed }) {
    if (isReplayed) return;
    this.#peerIsHere = true;
    if (json?.answer === true) this.#sayHere(false);
    this.#sendHeld();
    this.#told.changed(this);
  }

  disconnected() {
    this.#peerIsHere = false;
  }
}
