/* tests/e2e/tls_secrets.test.mjs - what a core dump would hold of a server with open sessions: no key of a certificate,
 * of tickets, or of a session. Read from its memory as the kernel would write it (core(5), proc(5)); skipped, and said
 * so, where that is not allowed. */

import assert from 'node:assert/strict';
import { createHmac, createPrivateKey, randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import tls from 'node:tls';
import { connect, leave, serverTest } from './support.mjs';
import { freePort } from './server.mjs';
import { ECDSA, pairArgs, pathOf, pairOf } from './tls.mjs';

const PIECE_BYTES = 1 << 20;
const MAPPING_BYTES_MAX = 2 ** 33;    /* beyond it only sanitizers have any: none of it is used */

/* ---- what is dumped ---------------------------------------------------------------------------------------------- */

/* Private mappings that can be written and are not taken out by MADV_DONTDUMP ("dd"): [from, to]. */
function dumped(pid) {
  const mappings = [];
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'latin1').split('\n')) {
    const head = line.match(/^([0-9a-f]+)-([0-9a-f]+) (\S+)/);
    if (head) mappings.push({ from: BigInt(`0x${head[1]}`), to: BigInt(`0x${head[2]}`), is: head[3] });
    if (line.startsWith('VmFlags:')) mappings.at(-1).isHidden = / dd\b/.test(line);
  }
  return mappings.filter(({ from, to, is, isHidden }) => is === 'rw-p' && !isHidden && to - from < MAPPING_BYTES_MAX);
}

/* Up to that many bytes from there; none where the kernel has put a guard. */
function read(file, piece, count, at) {
  try {
    return piece.subarray(0, readSync(file, piece, 0, count, at));
  } catch {
    return piece.subarray(0, 0);
  }
}

/* Which of these stand in what would be dumped of it: [{ name, bytes, at }]. */
function look(pid, file, secrets) {
  const found = [], piece = Buffer.alloc(PIECE_BYTES);
  const overlap = Math.max(...secrets.map(({ bytes }) => bytes.length)) - 1;
  for (const { from, to } of dumped(pid)) {
    for (let at = from; at < to; at += BigInt(PIECE_BYTES - overlap)) {
      const text = read(file, piece, Number(to - at < PIECE_BYTES ? to - at : PIECE_BYTES), at);
      for (const { name, bytes } of secrets) {
        const index = text.indexOf(bytes);
        if (index >= 0) found.push({ name, bytes, at: at + BigInt(index) });
      }
    }
  }
  return found;
}

/* The names of those. A dump is made at once, and reading takes seconds, in which a key may have moved to where it is
 * hidden by now: what is found has to be there still. */
function found(pid, secrets) {
  const file = openSync(`/proc/${pid}/mem`, 'r');
  const seen = look(pid, file, secrets), mappings = dumped(pid);
  const names = seen.filter(({ bytes, at }) => mappings.some(({ from, to }) => at >= from && at < to)
    && read(file, Buffer.alloc(bytes.length), bytes.length, at).equals(bytes)).map(({ name }) => name);
  closeSync(file);
  return names;
}

function canRead() {
  try {
    closeSync(openSync(`/proc/${process.ppid}/mem`, 'r'));
    return true;
  } catch {
    return false;
  }
}

/* ---- what is secret ---------------------------------------------------------------------------------------------- */

/* A number as it is written, and as mbedTLS and GMP have it. */
function numberSecrets(name, base64url) {
  const bytes = Buffer.from(base64url, 'base64url');
  return [{ name, bytes }, { name: `${name}, little endian`, bytes: Buffer.from(bytes).reverse() }];
}

function keySecrets({ name, key }) {
  const text = readFileSync(key, 'latin1'), jwk = createPrivateKey(text).export({ format: 'jwk' });
  const line = text.split('\n')[1];
  return ['d', 'p', 'q', 'dp', 'dq', 'qi'].filter((part) => jwk[part])
    .flatMap((part) => numberSecrets(`${part} of ${name}`, jwk[part]))
    .concat({ name: `the text of ${name}`, bytes: Buffer.from(line.slice(-40)) });
}

/* RFC 8446 7.1, one block of it. */
function expandLabel(secret, label, count, hash) {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, count, name.length]), name, Buffer.from([0, 1])]);
  return createHmac(hash, secret).update(info).digest().subarray(0, count);
}

/* From the lines that a client writes for Wireshark. */
function sessionSecrets(name, lines) {
  return lines.flatMap((line) => {
    const [label, , hex] = line.trim().split(' '), secret = Buffer.from(hex, 'hex');
    if (!/TRAFFIC_SECRET_0$/.test(label)) return [];
    const hash = secret.length === 48 ? 'sha384' : 'sha256';
    return [{ name: `${label} of ${name}`, bytes: secret },
      { name: `its key, ${name}`, bytes: expandLabel(secret, 'key', secret.length === 48 ? 32 : 16, hash) }];
  });
}

/* A client of one suite that has said something and been answered. */
async function visit(port, ciphers) {
  const socket = tls.connect({ port, host: '127.0.0.1', ciphers, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
  const lines = [];
  socket.on('keylog', (line) => lines.push(line.toString()));
  await new Promise((resolve, reject) => { socket.once('secureConnect', resolve).once('error', reject); });
  socket.write('GET /up HTTP/1.1\r\nHost: here\r\n\r\n');
  await new Promise((resolve, reject) => { socket.once('data', resolve).once('error', reject); });
  return { socket, secrets: sessionSecrets(ciphers, lines) };
}

/* ---- the test ---------------------------------------------------------------------------------------------------- */

const TICKET_KEYS = [randomBytes(32), randomBytes(32)];
for (const pair of canRead() ? [ECDSA, pairOf('rsa', { kind: 'rsa' })] : []) {
  let port;
  const keys = pathOf('ticket.keys');
  writeFileSync(keys, TICKET_KEYS.map((key) => `${key.toString('hex')}\n`).join(''), { mode: 0o600 });
  const args = async () => {
    port = await freePort();
    return ['--tls-listen', `127.0.0.1:${port}`, ...pairArgs(pair), '--tls-ticket-keys', keys, '--shards', '2'];
  };
  serverTest(`no core dump has a key of a certificate, of tickets or of an open session: ${pair.name}`, args,
    async (server) => {
      const ws = await connect(server);
      const visitors = [];
      for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384']) {
        for (let i = 0; i < 4; i += 1) visitors.push(await visit(port, suite));    /* on both shards */
      }
      const secrets = [
        ...keySecrets(pair), ...visitors.flatMap((visitor) => visitor.secrets),
        ...TICKET_KEYS.flatMap((bytes, i) => [{ name: `ticket key ${i}`, bytes },
          { name: `the text of ticket key ${i}`, bytes: Buffer.from(bytes.toString('hex')) }]),
      ];
      assert.ok(secrets.length > 20);
      const argument = { name: 'an argument', bytes: Buffer.from('--tls-ticket-keys') };
      assert.notEqual(found(server.pid, [argument]).length, 0, 'what is no secret is found');
      assert.deepEqual(found(server.pid, secrets), []);
      for (const { socket } of visitors) socket.destroy();
      await leave(ws);
    });
}
if (!canRead()) {
  const skip = 'SKIPPED, NOT TESTED: the memory of other processes cannot be read here';
  test('no core dump has a key', { skip }, () => {});
}
