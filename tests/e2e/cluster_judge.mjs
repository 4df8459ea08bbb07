/* tests/e2e/cluster_judge.mjs - did several nodes keep the promise: the same messages in the same order for all, each
 * once, and whatever may be missing announced?
 *
 *     const judge = new Judge();
 *     judge.acknowledged(channel, { epoch, offset }, data);    // the answer to a publish; data is unique
 *     const reader = judge.reader(name, channel);
 *     reader.got({ epoch, offset }, data);
 *     reader.told();                                           // that something may be missing: from here on anew
 *     judge.faults();                                          // [{ kind, ... }], empty: all is well
 *
 * What is not a fault: a number that nobody has seen and no publisher was told of. Such a gap is no message.
 * Kinds of fault:
 *   disorder   a reader got a message that is not behind the one before it, or of an epoch that is over
 *   hole       between two messages of an epoch that a reader got, another one was that it was not told to miss
 *   end        a reader has not got the last ones, when all should be there
 *   content    two messages under one number
 *   double     one message under two numbers, or twice, at one reader
 *   lost       a message was acknowledged, nobody has seen it, and no reader was told */

const idOf = ({ epoch, offset }) => `${epoch}-${offset}`;

/* Epochs of eight characters of 0-9 and a-z, each a number: a later one is larger. */
const isBehind = (one, other) => (
  one.epoch === other.epoch ? one.offset > other.offset : one.epoch > other.epoch);

class Reader {
  constructor(name, channel) {
    Object.assign(this, { name, channel, entries: [] });
  }

  got(position, data) { this.entries.push({ ...position, data }); }
  told() { this.entries.push(null); }

  get facts() { return { name: this.name, channel: this.channel }; }

  /* Runs of messages between which it was told; an epoch that begins says it too. */
  get runs() {
    const runs = [[]];
    for (const entry of this.entries) {
      const run = runs.at(-1);
      const isNew = entry !== null && run.length > 0 && run.at(-1).epoch !== entry.epoch;
      if (entry === null || isNew) runs.push([]);
      if (entry !== null) runs.at(-1).push(entry);
    }
    return runs;
  }
}

export class Judge {
  #readers = [];
  #known = new Map();           /* channel -> id -> { epoch, offset, data }, of whoever saw it or was told of it */
  #acknowledged = [];
  #faults = [];

  reader(name, channel) {
    const reader = new Reader(name, channel);
    this.#readers.push(reader);
    return reader;
  }

  acknowledged(channel, position, data) {
    this.#acknowledged.push({ channel, ...position, data });
  }

  get counts() {
    const got = this.#readers.reduce((sum, { entries }) => sum + entries.filter((entry) => entry !== null).length, 0);
    const told = this.#readers.reduce((sum, { entries }) => sum + entries.filter((entry) => entry === null).length, 0);
    return { acknowledged: this.#acknowledged.length, readers: this.#readers.length, got, told };
  }

  faults() {
    this.#faults = [];
    this.#known.clear();
    for (const one of this.#acknowledged) this.#learn(one.channel, one, 'a publisher');
    for (const reader of this.#readers) {
      for (const entry of reader.entries) if (entry !== null) this.#learn(reader.channel, entry, reader.name);
    }
    for (const reader of this.#readers) this.#lookAt(reader);
    this.#lookForLost();
    return this.#faults;
  }

  #learn(channel, { epoch, offset, data }, who) {
    if (!this.#known.has(channel)) this.#known.set(channel, new Map());
    const known = this.#known.get(channel), id = idOf({ epoch, offset });
    const before = known.get(id);
    if (before === undefined) known.set(id, { epoch, offset, data });
    else if (before.data !== data) this.#fault('content', { channel, id, data, other: before.data, who });
  }

  #fault(kind, facts) { this.#faults.push({ kind, ...facts }); }

  #lookAt(reader) {
    const { name, channel } = reader;
    const seen = new Set();
    for (const entry of reader.entries) {
      if (entry === null) continue;
      if (seen.has(entry.data)) this.#fault('double', { name, channel, id: idOf(entry), data: entry.data });
      seen.add(entry.data);
    }
    let before;
    for (const entry of reader.entries) {
      if (entry === null) continue;
      const isInOrder = before === undefined || isBehind(entry, before);
      if (!isInOrder) this.#fault('disorder', { name, channel, id: idOf(entry), before: idOf(before) });
      before = entry;
    }
    for (const run of reader.runs) this.#lookForHoles(reader, run, seen);
    this.#lookAtEnd(reader, seen);
  }

  /* What stands between the first and the last of a run was there for its reader too, unless it had it before: then it
   * is a repeat, which is not handed out twice. */
  #lookForHoles({ name, channel }, run, seen) {
    if (run.length < 2) return;
    const [{ epoch, offset: first }, { offset: last }] = [run[0], run.at(-1)];
    const here = new Set(run.map(({ offset }) => offset));
    for (let offset = first + 1; offset < last; offset++) {
      const known = this.#known.get(channel).get(idOf({ epoch, offset }));
      if (known === undefined || here.has(offset) || seen.has(known.data)) continue;
      this.#fault('hole', { name, channel, id: idOf(known), data: known.data });
    }
  }

  #lookAtEnd(reader, seen) {
    const last = reader.entries.at(-1);
    if (last === null || last === undefined) return;    /* told last, or nothing came: it knows that it has not all */
    for (const known of this.#known.get(reader.channel).values()) {
      const isLater = isBehind(known, last) && !seen.has(known.data);
      if (isLater) this.#fault('end', { ...reader.facts, id: idOf(known), data: known.data });
    }
  }

  #lookForLost() {
    const seen = new Map();
    const told = new Set();
    for (const { channel, entries, runs } of this.#readers) {
      if (!seen.has(channel)) seen.set(channel, new Set());
      for (const entry of entries) if (entry !== null) seen.get(channel).add(entry.data);
      if (runs.length > 1) told.add(channel);
    }
    for (const one of this.#acknowledged) {
      if (!seen.has(one.channel) || seen.get(one.channel).has(one.data) || told.has(one.channel)) continue;
      this.#fault('lost', { channel: one.channel, id: idOf(one), data: one.data });
    }
  }
}
