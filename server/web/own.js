/* server/web/own.js - which messages of a room are ours: those that this browser has published. The server does not say
 * who wrote what stands in a room, and its name anybody can write; so their offsets are remembered, together with the
 * person who we were (identity.js): two windows may be two people. */

import { isText, recall, remember } from '/storage.js';

const OWN_MAX = 1000;           /* remembered of a room, the latest */

/* Stored as [epoch, [person, offset], ...]. */
const isEntry = (value) => Array.isArray(value) && isText(value[0]) && Number.isInteger(value[1]);
const isList = (value) => Array.isArray(value) && isText(value[0]) && value.slice(1).every(isEntry);

export class OwnMessages {
  #key;
  #person;
  #epoch = null;
  #offsets = new Set();         /* of ours in that epoch */

  constructor(channelName, person) {
    this.#key = OwnMessages.keyOf(channelName);
    this.#person = person;
    this.recall();
  }

  static keyOf(channelName) { return `own ${channelName}`; }

  /* What the person's other windows have published is ours, too. */
  recall() {
    const [epoch, ...entries] = this.#stored();
    if (epoch === undefined) return;
    this.#enter(epoch);
    for (const [person, offset] of entries) if (person === this.#person) this.#offsets.add(offset);
  }

  #stored() { return recall('localStorage', this.#key, isList) ?? []; }

  #enter(epoch) {
    if (epoch !== this.#epoch) this.#offsets = new Set();
    this.#epoch = epoch;
  }

  has(epoch, offset) { return offset !== null && epoch === this.#epoch && this.#offsets.has(offset); }

  add(epoch, offset) {
    this.#enter(epoch);
    this.#offsets.add(offset);
    const [storedEpoch, ...entries] = this.#stored();
    this.#store(epoch, [...storedEpoch === epoch ? entries : [], [this.#person, offset]]);
  }

  /* What another window has published in that epoch while we wrote as well. */
  addAgain(epoch, added) {
    const [storedEpoch, ...entries] = this.#stored();
    if (storedEpoch === epoch) this.#store(epoch, [...entries, ...added.filter(isEntry)]);
  }

  #store(epoch, entries) { remember('localStorage', this.#key, [epoch, ...entries.slice(-OWN_MAX)]); }
}
