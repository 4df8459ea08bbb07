/* server/web/thread.js - the messages of one room or direct conversation, as data: their order, what is new, what is
 * still under way. Knows neither the document nor the connection.
 *
 * Order: what the server keeps stands by its offset; what it does not keep stands as it came; own messages that are
 * not acknowledged stand last. An item is
 *   { kind: 'message' | 'note', text, at, sender, own, offset, state, id, wire, after, reason, code }
 * where state is 'sent', 'sending' or 'failed', and offset is null for what is not kept. The last five are of own
 * messages: how they went out, behind which offset, and why one failed. */

const ITEMS_MAX = 5000;         /* with the reader at the end */
const ITEMS_IDLE_MAX = 100;     /* of a conversation that is not looked at and that the server keeps */
const ITEMS_FAR_MAX = 20_000;   /* with the reader somewhere above; cut in steps, for each one moves the reader */
const FAR_STEP = 500;

export class Thread {
  items = [];
  epoch = null;         /* null: this channel keeps no history, or it is not known yet */
  isReady = false;      /* its subscription was answered once, and the newest messages came if there is history */
  hasOlder = false;     /* the server has messages before the first item */
  isTrimmed = false;    /* there were items before the first one, and nobody has them any more */
  unread = 0;
  unreadIsMore = false; /* at least so many */
  readOffset = 0;       /* all up to here has been seen, in readEpoch */
  readEpoch = null;
  firstUnread = null;   /* the item that the line "New messages" stands above */
  watcher = null;       /* the view: see conversation.js */

  /* Puts an item where it belongs. Returns its index, or -1 when it is there already. */
  add(item) {
    if (this.#has(item.offset)) return -1;
    let index = this.items.length;
    if (item.state !== 'sending') {
      for (; index > 0; index--) {
        const before = this.items[index - 1];
        const isWaiting = before.state !== 'sent';
        const isLater = item.offset !== null && before.offset !== null && before.offset > item.offset;
        if (!isWaiting && !isLater) break;
      }
    }
    this.items.splice(index, 0, item);
    this.watcher?.inserted(index);
    return index;
  }

  /* From the end on, where it nearly always is; what has no offset does not end the search. */
  #has(offset) {
    if (offset === null) return false;
    return this.items.findLast((item) => item.offset !== null && item.offset <= offset)?.offset === offset;
  }

  /* Older ones, oldest first, before all others. Returns how many were not there yet. */
  prepend(older) {
    const first = this.oldest ?? Infinity;
    const fresh = older.filter((item) => item.offset < first);
    this.items.unshift(...fresh);
    this.watcher?.prepended(fresh.length);
    return fresh.length;
  }

  /* What the server keeps instead of all that came from it; what is not acknowledged stays. */
  replace(items) {
    const waiting = this.items.filter((item) => item.state !== 'sent');
    this.items = [...items, ...waiting];
    this.isTrimmed = false;
    this.watcher?.reset();
  }

  find(id) {
    return this.items.find((item) => item.id === id && item.state !== 'sent');
  }

  /* The server has it. A replay may have brought it before its acknowledgement: then it was ours. */
  acknowledge(id, offset) {
    const item = this.find(id);
    if (item === undefined) return;
    const twin = offset === null ? undefined : this.items.find((other) => other.offset === offset);
    if (twin !== undefined) {
      this.remove(item);
      if (twin === this.firstUnread) this.firstUnread = null;
      this.change(twin, { own: true, sender: item.sender });
      return;
    }
    const from = this.items.indexOf(item);
    const stays = this.items.slice(from + 1).every((other) => other.state !== 'sent');
    const wasLast = this.items.slice(0, from).every((other) => other.state === 'sent'
      && !(offset !== null && other.offset !== null && other.offset > offset));
    if (stays && wasLast) {
      this.change(item, { state: 'sent', offset });
    } else {
      this.remove(item);
      this.add(Object.assign(item, { state: 'sent', offset }));
    }
  }

  /* Code 'uncertain': it may have arrived all the same. */
  fail(id, reason, code) {
    const item = this.find(id);
    if (item === undefined) return;
    this.change(item, { state: 'failed', reason, code });
    this.watcher?.failed(item);
  }

  /* The own message of which nobody knows whether it was published, and that went out as this. */
  findUncertain(wire) {
    return this.items.find((item) => item.state === 'failed' && item.code === 'uncertain' && item.wire === wire);
  }

  change(item, what) {
    Object.assign(item, what);
    this.watcher?.changed(item);
  }

  remove(item) {
    const index = this.items.indexOf(item);
    if (index < 0) return;
    this.items.splice(index, 1);
    this.watcher?.removed(index);
  }

  /* Its log was lost: what is here stays, but offsets of another epoch mean nothing any more. */
  enterEpoch(epoch) {
    if (this.epoch === epoch) return;
    for (const item of this.items) item.offset = null;
    if (this.items.length > 0) this.hasOlder = false;
    this.epoch = epoch;
  }

  /* The newest offset that is here; 0: none. */
  get newest() {
    for (let index = this.items.length - 1; index >= 0; index--) {
      if (this.items[index].offset !== null) return this.items[index].offset;
    }
    return 0;
  }

  get oldest() {
    return this.items.find((item) => item.offset !== null)?.offset ?? null;
  }

  get lastMessage() {
    return this.items.findLast((item) => item.kind === 'message') ?? null;
  }

  /* One more that nobody has looked at. The line stands above the first one since all had been seen; what was missed
   * may come after what is said now. */
  countUnread(item) {
    const isEarlier = item.offset !== null && item.offset < (this.firstUnread?.offset ?? 0);
    if (this.unread === 0 || isEarlier) {
      this.forgetLine();
      this.firstUnread = item;
    }
    this.unread += 1;
    this.watcher?.changed(item);
  }

  /* These are all that nobody has looked at, whatever was counted before. */
  setUnread(items) {
    this.unread = 0;
    this.forgetLine();
    for (const item of items) this.countUnread(item);
  }

  /* All has been seen; the line "New messages" stays until forgetLine(). Nothing is, before it is known what was
   * missed. */
  markRead() {
    if (!this.isReady) return;
    this.unread = 0;
    this.unreadIsMore = false;
    this.readOffset = this.newest;
    this.readEpoch = this.epoch;
  }

  forgetLine() {
    const item = this.firstUnread;
    this.firstUnread = null;
    if (item !== null) this.watcher?.changed(item);
  }

  /* Keeps memory bounded. Items that the server has can be asked for again. */
  trim(idle) {
    return this.#cut(this.items.length - (idle && this.epoch !== null ? ITEMS_IDLE_MAX : ITEMS_MAX));
  }

  /* Wherever the reader is: one who has scrolled up may have gone away. */
  trimFar() {
    const excess = this.items.length - ITEMS_FAR_MAX;
    return excess >= FAR_STEP ? this.#cut(excess) : 0;
  }

  #cut(count) {
    if (count <= 0) return 0;
    this.watcher?.trimming(count);
    this.items.splice(0, count);
    if (this.epoch === null || this.oldest === null) this.isTrimmed = true;
    else this.hasOlder = true;
    this.watcher?.trimmed();
    return count;
  }
}
