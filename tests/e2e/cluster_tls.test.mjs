/* tests/e2e/cluster_tls.test.mjs - a node whose Redis speaks TLS, wants a certificate, and lets only a user of its own
 * in. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { untilHealth } from './cluster_nodes.mjs';
import { startRedis } from './redis.mjs';
import { freePort, startServer } from './server.mjs';
import { assertQuiet, runClosers } from './support.mjs';
import { ca, makePair, pairOf, pathOf } from './tls.mjs';

test('a Redis over TLS is entered with a certificate, a user and a password, and another one is not', async () => {
  try {
    const [port, theirs, ours, other] =
      [await freePort(), pairOf('redis'), pairOf('node'), makePair('other-ca', { isAuthority: true })];
    const redis = await startRedis({ config: [`tls-port ${port}`, `tls-cert-file ${theirs.cert}`,
      `tls-key-file ${theirs.key}`, `tls-ca-cert-file ${ca.cert}`,
      'user node on >open-sesame ~ringcast:* &ringcast:* +@all'] });
    const password = pathOf('redis-password');
    writeFileSync(password, 'open-sesame\n', { mode: 0o600 });
    const args = ['--shards', '1', '--redis', `rediss://node@localhost:${port}`, '--redis-password-file', password,
      '--redis-cert', ours.cert, '--redis-key', ours.key];
    const server = await startServer([...args, '--redis-ca', ca.cert]);
    await untilHealth(server, 200, /^ok$/);
    const client = await redis.connect();
    assert.match(await client.call('CLIENT', 'LIST'), /name=ringcast-\S+.* user=node /);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    assertQuiet(server.stderr());
    const wary = await startServer([...args, '--redis-ca', other.cert]);
    await untilHealth(wary, 503, /^Redis: shows a certificate that is not to be trusted/);
    assert.deepEqual(await wary.stop(), { code: 0, signal: null });
    assert.doesNotMatch(server.stderr() + wary.stderr(), /open-sesame/);
  } finally {
    runClosers();
  }
});
