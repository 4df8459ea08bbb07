/* server/web/unsent.js - what was written here and the server does not have yet: the draft of each place, and messages
 * on their way. A window remembers them for itself, so that they survive a reload. Both are bounded: the latest are
 * kept, and nothing that alone is larger than the bound. */

import { isText, isTextList, recall, remember } from '/storage.js';

const DRAFTS_MAX = 50;
const WAITING_MAX = 100;
const CHARACTERS_MAX = 500_000; /* of all drafts, and of all messages; browsers store five million */
const STORE_EVERY_MS = 1_000;   /* while somebody types */

const isDraft = (value) => isTextList(value) && value.length === 2;
const isWaiting = ([channelName, item]) => isTextList([channelName, item?.id, item?.text, item?.wire, item?.sender])
  && Number.isFinite(item.at) && (item.state === 'sending' || item.state === 'failed');

const recallList = (key, isGood) => (recall('sessionStorage', key, Array.isArray) ?? [])
  .filter((value) => Array.isArray(value) && isGood(value));

/* The last ones that there is room for. */
function latest(list, countMax, sizeOf) {
  const kept = [];
  let room = CHARACTERS_MAX;
  for (const value of list.toReversed()) {
    if (kept.length >= countMax) break;
    if (sizeOf(value) > room) continue;
    room -= sizeOf(value);
    kept.unshift(value);
  }
  return kept;
}

/* ---- Drafts --------------------------------------------------------------------------------------------------- */

const drafts = new Map(recallList('drafts', isDraft));    /* channelName -> text, the one written last is the last */
let storeTimer = 0;

function storeDrafts() {
  clearTimeout(storeTimer);
  storeTimer = 0;
  remember('sessionStorage', 'drafts', latest([...drafts], DRAFTS_MAX, ([, text]) => text.length));
}

export const draftOf = (channelName) => drafts.get(channelName) ?? '';

/* One that is gone is forgotten at once: it must not stand beside what was sent. */
export function keepDraft(channelName, text) {
  if (text === draftOf(channelName)) return;
  drafts.delete(channelName);
  if (text !== '') drafts.set(channelName, text);
  if (text === '') storeDrafts();
  else if (storeTimer === 0) storeTimer = setTimeout(storeDrafts, STORE_EVERY_MS);
}

addEventListener('pagehide', storeDrafts);
document.addEventListener('visibilitychange', () => { if (document.hidden) storeDrafts(); });

/* ---- Messages on their way ------------------------------------------------------------------------------------ */

/* id -> [channelName, item] */
const waiting = new Map(recallList('waiting', isWaiting).map((entry) => [entry[1].id, entry]));

function storeWaiting() {
  const size = ([, { text, wire }]) => text.length + wire.length;
  remember('sessionStorage', 'waiting', latest([...waiting.values()], WAITING_MAX, size));
}

/* An own message as it is now: on its way, or not sent. */
export function keepWaiting(channelName, { id, text, wire, at, sender, state, after, epoch, reason, code }) {
  waiting.set(id, [channelName, { id, text, wire, at, sender, state, after, epoch, reason, code }]);
  storeWaiting();
}

export function forgetWaiting(id) {
  if (waiting.delete(id)) storeWaiting();
}

export function forgetPlace(channelName) {
  for (const [id, [of]] of waiting) if (of === channelName) waiting.delete(id);
  storeWaiting();
}

/* Those of a place, in the order in which they were written. */
export function waitingOf(channelName) {
  return [...waiting.values()].filter(([of]) => of === channelName).map(([, item]) => item);
}
