/* tests/e2e/throttle.test.mjs - a raw connection that sends faster than it may waits, over ws and wss: all that it sent
 * comes, in order, and it stays. */

import assert from 'node:assert/strict';
import { connect, counters, leave, serverTest } from './support.mjs';
import { tlsTest } from './tls.mjs';

const LIMITS = ['--room-messages-per-second', '100', '--room-bytes-per-second', '64KiB'];
const SAID = Array.from({ length: 300 }, (_, i) => `${i} `.padEnd(1 + (i * 37) % 900, '.'));

async function flood(server) {
  const reader = await connect(server);
  const fast = await connect(server);
  const slow = await connect(server);
  for (const text of SAID) fast.send(text);
  slow.send('in between');
  const heard = [];
  while (heard.length < SAID.length + 1) heard.push(await reader.inbox.next('what was said'));
  assert.deepEqual(heard.filter((text) => text !== 'in between'), SAID);
  assert.ok((await counters(server)).receives_throttled > 0);
  fast.send('still here');
  assert.equal(await reader.inbox.next('its next'), 'still here');
  await leave(reader, fast, slow);
}

for (const shards of [1, 4]) {
  serverTest(`a flood over ws loses nothing but its hurry, on ${shards} shards`, ['--shards', `${shards}`, ...LIMITS],
    flood);
}
tlsTest('a flood over wss loses nothing but its hurry', { args: LIMITS, shards: [2] },
  (server, secure) => flood(secure));
