/* tests/e2e/ringcast_js_late.test.mjs - server/web/ringcast.js after a pause of its process: a laptop's lid, a tab
 * that was suspended. */

import assert from 'node:assert/strict';
import { mockTest, newClient, stateOf } from './mock_ringcast.mjs';

mockTest('a timer that fires late lets what has come be heard first', async (mock) => {
  const standStill = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  const client = newClient(mock.url, { activityTimeoutMs: 5, pongTimeoutMs: 30 });
  client.connect();
  const link = await mock.links.next();
  await stateOf(client, 'open');
  for (let round = 0; round < 5; round++, standStill(100)) {
    await link.expect('pusher:ping');
    link.send('pusher:pong', undefined, {});    /* lies in the socket while both stand still */
  }
  assert.deepEqual([client.states.count, client.state.name, mock.links.count], [0, 'open', 0]);
});
