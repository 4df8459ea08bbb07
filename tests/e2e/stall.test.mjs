/* tests/e2e/stall.test.mjs - the process stands still for longer than every deadline (SIGSTOP, as a frozen virtual
 * machine does), while what was sent in time lies in its sockets: nobody is judged before that was heard, and the
 * watchdog blames no shard. */

import assert from 'node:assert/strict';
import { connectMany, counters, serverTest, sleep, until } from './support.mjs';
import { handshake, RawClient } from './raw.mjs';

const STALL_MS = 1500;
const ARGS = ['--ping-ms', '200ms', '--pong-ms-max', '1s', '--handshake-ms-max', '1s', '--close-ms-max', '1s',
  '--watchdog-ms', '1s'];

async function stall(server) {
  process.kill(server.pid, 'SIGSTOP');
  await sleep(STALL_MS);
  process.kill(server.pid, 'SIGCONT');
}

for (const shards of [1, 2]) {
  serverTest(`a stalled server closes nobody who was alive, on ${shards} shards`, [...ARGS, '--shards', shards],
    async (server) => {
      const clients = await connectMany(server, 200);
      let closed = 0;
      for (const client of clients) client.once('close', () => { closed += 1; });
      for (let round = 0; round < 3; round++) {
        const half = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(server)));
        const request = handshake('/');
        for (const client of half) client.write(request.slice(0, 40));
        await stall(server); /* some pings and pongs are always on their way */
        for (const client of half) client.write(request.slice(40));
        for (const client of half) assert.equal((await client.answer()).status, 101);
        for (const client of half) client.reset();
        assert.equal(closed, 0);
      }
      const { stalls, stalled_ms: stalledMs, closed_silent: silent, turns_stuck: stuck } = await counters(server);
      assert.ok(stalls >= 3 && stalledMs >= 3 * (STALL_MS - 400), `${stalls} stalls, ${stalledMs} ms`);
      assert.equal(silent, 0);
      assert.equal(stuck, 0, 'no shard is to blame');
      for (const client of clients) client.terminate();
      await until(async () => (await counters(server)).connections_open === 0, 'their end');
    });
}
