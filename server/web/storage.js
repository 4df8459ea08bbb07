/* server/web/storage.js - what the browser remembers for us. Storage throws where it is switched off and may hold
 * anything, also what an older page wrote: the chat works without it, and believes nothing it says.
 *
 * All windows of a browser write the same localStorage. Who changes a list there recalls it right before. */

/* Null: forget it. What is there already is not written again and again. */
export function remember(storage, key, value) {
  const text = value === null ? null : JSON.stringify(value);
  try {
    if (window[storage].getItem(key) === text) return;
    if (text === null) window[storage].removeItem(key);
    else window[storage].setItem(key, text);
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
    if (key !== null && newValue !== oldValue) changed(key, oldValue);
  });
}

export const isText = (value) => typeof value === 'string';
export const isTextList = (value) => Array.isArray(value) && value.every(isText);
