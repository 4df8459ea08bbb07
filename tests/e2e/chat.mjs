/* tests/e2e/chat.mjs - two people in a room, who hear each other: for tests of what stands around a server. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';
import { within } from './support.mjs';

/* Both say something at the same address and hear it; then they leave. `options` are those of npm's ws. */
export async function chat(url, options = {}) {
  const people = [new WebSocket(url, options), new WebSocket(url, options)];
  try {
    await within(Promise.all(people.map((one) => once(one, 'open'))), `connections to ${url}`);
    for (const [speaker, listener] of [people, [...people].reverse()]) {
      const heard = once(listener, 'message');
      speaker.send('Guten Tag');
      assert.equal(String((await within(heard, `a message through ${url}`))[0]), 'Guten Tag');
    }
  } finally {
    for (const one of people) one.terminate();
  }
}
