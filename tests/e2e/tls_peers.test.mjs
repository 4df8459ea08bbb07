/* tests/e2e/tls_peers.test.mjs - TLS as Python's and Java's libraries have it, over wss: messages of many sizes there
 * and back, and new keys by volume. Java's with RINGCAST_LONG=1 alone, and where there is one that runs
 * a source file (Debian's openjdk-17-jdk-headless, whose 300 MB deploy/deps does not install); else it says so. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { counters, within } from './support.mjs';
import { ca, run, Tool, tlsTest } from './tls.mjs';

const fileOf = (name) => join(dirname(fileURLToPath(import.meta.url)), name);
const JAVA_MS = 100_000;    /* it compiles the file first */
const ECHO = { args: ['--lobby-echo'], shards: [2] };
const urlOf = (secure) => `wss://localhost:${secure.port}/`;

for (const version of ['TLSv1_2', 'TLSv1_3']) {
  tlsTest(`Python talks and resumes: ${version}`, ECHO, async (server, secure) => {
    const { code, output } = await run('/usr/bin/python3', '-B', fileOf('wss_client.py'), urlOf(secure), ca.cert,
      version);
    assert.equal(code, 0, output);
    assert.match(output, /^resumed: True$/m);
    assert.equal((await counters(server)).tls_resumed, 1);
  });
}

const isLong = process.env.RINGCAST_LONG === '1';
const java = isLong ? spawnSync('java', ['--list-modules'], { encoding: 'latin1' }) : {};
const hasJava = java.status === 0 && /^jdk\.compiler/m.test(java.stdout);
if (!hasJava) {
  const why = isLong ? 'no java with its compiler is installed' : 'only with RINGCAST_LONG=1';
  test('Java talks, and changes keys', { skip: `SKIPPED, NOT TESTED: ${why}` }, () => {});
}

for (const version of hasJava ? ['TLSv1.2', 'TLSv1.3'] : []) {
  tlsTest(`Java talks, and changes keys where it can: ${version}`, ECHO, async (server, secure) => {
    const tool = new Tool('java', ['-Djavax.net.debug=ssl:handshake', fileOf('WssClient.java'), urlOf(secure), ca.cert,
      version]);
    const code = await within(tool.ended, 'the end of Java', JAVA_MS), { output } = tool;
    assert.equal(code, 0, output.slice(-4000));
    assert.match(output, /^2\d{6} bytes came back$/m);
    const [asked, answered] = ['Produced', 'Consuming']
      .map((what) => output.split(`${what} KeyUpdate post-handshake message`).length - 1);
    if (version === 'TLSv1.2') assert.deepEqual([asked, answered], [0, 0]);
    if (version === 'TLSv1.3') assert.ok(asked >= 1 && answered >= 1, `asked ${asked}, answered ${answered}`);
  });
}
