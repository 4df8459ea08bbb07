/* server/web/storage.js - what the browser remembers for us. Storage throws where it is switched off and may hold
 * anything, also what an older page wrote: the chat works without it, and believes nothing it says.
 *
 * All windows of a browser write the same localStorage. Who changes a list there recalls it right before. But what one
 * window writes reaches the others a moment later: a list that two change at once is the one's alone, until that one
 * hears of the other's change and makes it again. */

const written = new Map();      /* key of localStorage -> what this window wrote there last */

/* Null: forget it. What is there already is not written again and again. */
export function remember(storage, key, value) {
  const text = value === null ? null : JSON.stringify(value);
  try {
    if (window[storage].getItem(key) === text) return;
    if (text === null) window[storage].removeItem(key);
    else window[storage].setItem(key, text);
    if (storage === 'localStorage') written.set(key, text);
  } catch { /* it then lasts as long as the page */ }
}

/* Null if there is nothing, or not what isGood accepts. */
export function recall(storage, key, isGood) {
  try {
    const value = JSON.parse(window[storage].getItem(key));
    return isGood(value) ? value : null;
  } catch {
    return null;
  }
}

/* Another window has written under this key of localStorage. */
export function onElsewhere(changed) {
  addEventListener('storage', ({ key, newValue, oldValue }) => {
    if (key !== null && newValue !== oldValue) changed(key, oldValue, newValue);
  });
}

/* The list in a text of storage; it may be anything. */
export function listOf(text) {
  try {
    const list = JSON.parse(text);
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

function onlyIn(text, other) {
  const others = new Set(listOf(other).map((entry) => JSON.stringify(entry)));
  return listOf(text).filter((entry) => !others.has(JSON.stringify(entry)));
}

/* The entries that another window has { added, removed } when it made newValue of oldValue, if our own writing has
 * undone that; null: it stands, or was changed again since. */
export function undone(key, oldValue, newValue) {
  try {
    const now = localStorage.getItem(key);
    if (now === newValue || now !== written.get(key)) return null;
  } catch {
    return null;
  }
  return { added: onlyIn(newValue, oldValue), removed: onlyIn(oldValue, newValue) };
}

export const isText = (value) => typeof value === 'string';
export const isTextList = (value) => Array.isArray(value) && value.every(isText);
