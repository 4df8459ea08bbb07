/* tests/e2e/tls_herd.test.mjs - more newcomers over TLS than there is time for: all get in, each handshake is computed
 * once and for somebody, and the time they wait for us is not held against them. (measure_herd.mjs has the figures.) */

import assert from 'node:assert/strict';
import { counters } from './support.mjs';
import { herd, pairOf, tlsTest } from './tls.mjs';

/* A handshake takes some 20 ms of computing with this key, so that a few clients make a long queue. */
const SLOW = pairOf('rsa4096', { kind: 'rsa4096' }), RSA = pairOf('rsa', { kind: 'rsa' });
const PATIENCE_MS = 60_000;

/* How long clients wait is a matter of the machine and of sanitizers: a large herd is as patient as it takes. */
async function allGetIn(secure, server, count, spreadMs) {
  const patienceMs = PATIENCE_MS + count * 100;
  assert.deepEqual(await herd(secure, count, { spreadMs, patienceMs }), { open: count, lost: 0 });
  const now = await counters(server);
  assert.equal(now.tls_begun, count);
  assert.equal(now.tls_handshakes, count);
  assert.equal(now.closed_handshake_timeout, 0);
}

tlsTest('a herd that waits longer than --handshake-ms-max for us gets in',
  { shards: [1], pairs: [SLOW], args: ['--handshake-ms-max', '1s'] },
  (server, secure) => allGetIn(secure, server, 120, 0));

for (const count of process.env.RINGCAST_LONG === '1' ? [300, 1500, 5000] : []) {
  tlsTest(`a herd of ${count} gets in`, { shards: [1], pairs: [RSA] },
    (server, secure) => allGetIn(secure, server, count, 2000));
}
