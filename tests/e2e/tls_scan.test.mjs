/* tests/e2e/tls_scan.test.mjs - what Debian's sslscan finds: nothing old, nothing weak. Skipped, and said so, where
 * it is not installed (deploy/deps --test installs it). */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { counters } from './support.mjs';
import { ECDSA, pairOf, run, tlsTest } from './tls.mjs';

const hasScanner = spawnSync('sslscan', ['--version']).status === 0;
if (!hasScanner) {
  const skip = 'SKIPPED, NOT TESTED: sslscan is not installed';
  test('sslscan finds nothing old and nothing weak', { skip }, () => {});
}

const SUITES = [
  ['TLSv1.2', 'ECDHE-ECDSA-AES128-GCM-SHA256'], ['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  ['TLSv1.2', 'ECDHE-ECDSA-CHACHA20-POLY1305'], ['TLSv1.2', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLSv1.2', 'ECDHE-RSA-AES256-GCM-SHA384'], ['TLSv1.2', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLSv1.3', 'TLS_AES_128_GCM_SHA256'], ['TLSv1.3', 'TLS_AES_256_GCM_SHA384'],
  ['TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256'],
].map((row) => row.join(' '));
const GROUPS = ['TLSv1.2', 'TLSv1.3'].flatMap((version) => ['secp256r1', 'secp384r1', 'x25519']
  .map((group) => `${version} ${group}`));

if (hasScanner) {
  tlsTest('sslscan finds nothing old and nothing weak', { pairs: [ECDSA, pairOf('rsa', { kind: 'rsa' })] },
    async (server, secure) => {
      const { code, output } = await run('sslscan', '--no-colour', `localhost:${secure.port}`);
      assert.equal(code, 0, output);
      for (const version of ['SSLv2', 'SSLv3', 'TLSv1.0', 'TLSv1.1']) {
        assert.match(output, new RegExp(`^${version.replace('.', '\\.')} +disabled$`, 'm'));
      }
      for (const version of ['TLSv1.2', 'TLSv1.3']) {
        assert.match(output, new RegExp(`^${version.replace('.', '\\.')} +enabled$`, 'm'));
        assert.match(output, new RegExp(`^${version.replace('.', '\\.')} not vulnerable to heartbleed$`, 'm'));
      }
      assert.doesNotMatch(output, /^\S+ vulnerable/m);
      assert.match(output, /Session renegotiation not supported/);
      assert.match(output, /Compression (disabled|not supported)|OpenSSL version does not support compression/);
      const suites = [...output.matchAll(/^(?:Preferred|Accepted) +(\S+) +\d+ bits +(\S+)/gm)];
      assert.deepEqual(suites.map(([, version, suite]) => `${version} ${suite}`).sort(), SUITES, output);
      const groups = [...output.matchAll(/^(TLSv1\.\d) +\d+ bits +(secp\w+|x\w+|ffdhe\w+|sect\w+)/gm)];
      assert.deepEqual(groups.map(([, version, group]) => `${version} ${group}`).sort(), GROUPS, output);
      const now = await counters(server);
      assert.ok(now.tls_handshakes > 0 && now.tls_failed > 0);
    });
}
