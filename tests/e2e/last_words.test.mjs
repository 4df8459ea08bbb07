/* tests/e2e/last_words.test.mjs - one who closes in the next breath: what is durable comes back when it is stored, and
 * its close frame is in the server before that. */

import assert from 'node:assert/strict';
import { dataDir, durableArgs } from './kept.mjs';
import { close, OPCODE, RawClient, text } from './raw.mjs';
import { serverTest } from './support.mjs';

for (const shards of [1, 4]) {
  const args = () => [...durableArgs(dataDir(), ''), '--lobby-echo', '--shards', String(shards)];
  serverTest(`who closes at once hears its last words first, on ${shards} shards`, args, async (server) => {
    for (let round = 0; round < 20; round++) {
      const client = await RawClient.open(server, `/room/r${round}`);
      client.write(Buffer.concat([text('first'), text('last'), close(1000)]));
      const frames = [await client.frame(), await client.frame(), await client.frame()];
      assert.deepEqual(frames.map(({ opcode }) => opcode), [OPCODE.text, OPCODE.text, OPCODE.close]);
      assert.deepEqual(frames.slice(0, 2).map(({ payload }) => payload.toString()), ['first', 'last']);
      client.destroy();
    }
  });
}
