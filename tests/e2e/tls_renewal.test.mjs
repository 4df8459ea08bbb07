/* tests/e2e/tls_renewal.test.mjs - certificates are read at start, with a clear word when they are not good, and
 * again while the server runs: at SIGHUP and when their files change. Open connections notice nothing. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { assertQuiet, connect, connectMany, counters, leave, serverTest, until, untilCounters } from './support.mjs';
import { freePort } from './server.mjs';
import {
  ca, ECDSA, folder, openssl, pairArgs, pairOf, pathOf, run, serialOf, sClientAsks, Tool, tlsTest,
} from './tls.mjs';

const PAIRS = [ECDSA, pairOf('next', { kind: 'rsa' }), pairOf('third')];

/* What cannot be read without waiting; what cannot be sent. */
const pipe = pathOf('pipe.pem'), long = pathOf('long.pem');
execFileSync('mkfifo', [pipe]);
writeFileSync(long, readFileSync(ECDSA.cert) + readFileSync(ca.cert).toString().repeat(50));

/* --- a live pair -------------------------------------------------------------------------------------------------- */

let lives = 0;

/* A pair of symbolic links to one of PAIRS, as certbot keeps them: { cert, key, point(i), pointOne('cert', i) }. */
function makeLive() {
  const place = pathOf(`live${++lives}`);
  mkdirSync(place);
  const live = { cert: `${place}/fullchain.pem`, key: `${place}/privkey.pem` };
  live.replace = (what, file) => {    /* at no moment is there none */
    symlinkSync(file, `${live[what]}.new`);
    renameSync(`${live[what]}.new`, live[what]);
  };
  live.pointOne = (what, number) => live.replace(what, PAIRS[number][what]);
  live.point = (number) => ['cert', 'key'].forEach((what) => live.pointOne(what, number));
  /* The same with plain files. */
  live.write = (what, text) => {
    writeFileSync(`${live[what]}.new`, text);
    renameSync(`${live[what]}.new`, live[what]);
  };
  live.point(0);
  return live;
}

const hangUp = (server) => process.kill(server.pid, 'SIGHUP');

function untilSerial(secure, number) {
  return until(async () => await serialOf(secure) === PAIRS[number].serial, `certificate ${number}`, { poll: 100 });
}

/* How often it says this in its log. */
const said = (server, pattern) => server.stderr().match(new RegExp(pattern.source, 'g'))?.length ?? 0;

function untilSaid(server, pattern, times = 1) {
  return until(() => said(server, pattern) >= times, `${pattern} in the log`);
}

const STAYED = /error (the certificates stay|reload: refused, everything stays) as (they were|it was): /;
const RENEWED = /the certificates were read again/;

/* A test whose server has a live pair; the body gets it as third. */
function renewalTest(title, options, body) {
  for (const shards of options.shards ?? [1, 4]) {
    const live = makeLive();
    tlsTest(title, { ...options, shards: [shards], pairs: [live] }, (server, secure) => body(server, secure, live));
  }
}

/* --- renewal ------------------------------------------------------------------------------------------------------ */

/* Everyone in the room hears what some of them say. */
async function talk(clients, what) {
  const speakers = clients.filter((_, i) => i % Math.ceil(clients.length / 5) === 0);
  for (const [i, speaker] of speakers.entries()) speaker.send(`${what} ${i}`);
  await Promise.all(clients.map(async (client) => {
    const count = speakers.length - (speakers.includes(client) ? 1 : 0);
    for (const message of await client.inbox.take(count, what)) assert.ok(message.startsWith(what), message);
  }));
}

for (const [count, shards] of [[200, 1], [1000, 4]]) {
  renewalTest(`${count} open connections keep talking while certificates change`, { shards: [shards] },
    async (server, secure, live) => {
      const clients = [];
      while (clients.length < count) clients.push(...await connectMany(secure, 100, '/room/tea'));
      await talk(clients, 'before');
      for (const [round, number] of [1, 2, 0].entries()) {
        live.point(number);
        hangUp(server);
        const talking = talk(clients, `during ${round}`);
        await untilSerial(secure, number);
        await talking;
        await talk(clients, `after ${round}`);
        const newcomer = await connect(secure, '/room/tea');
        newcomer.send('hello');
        for (const client of clients) assert.equal(await client.inbox.next(), 'hello');
        await leave(newcomer);
      }
      const now = await counters(server);
      assert.deepEqual([now.connections_open, now.tls_failed, now.closed_tls_broken], [count, 0, 0]);
      await leave(...clients);
    });
}

renewalTest('a change of the files is noticed: symbolic links and files that are renamed over', {},
  async (server, secure, live) => {
    const old = await connect(secure);
    live.point(1);
    await untilSerial(secure, 1);
    for (const what of ['cert', 'key']) live.write(what, readFileSync(PAIRS[2][what]));
    await untilSerial(secure, 2);
    for (const what of ['key', 'cert']) writeFileSync(live[what], readFileSync(PAIRS[0][what]));    /* in place */
    await untilSerial(secure, 0);
    const other = await connect(server);
    other.send('still here?');
    assert.equal(await old.inbox.next(), 'still here?');
    assert.equal(said(server, STAYED), 0);
    await leave(old, other);
  });

renewalTest('a certificate whose key comes later is taken when the key has come', { expected: STAYED },
  async (server, secure, live) => {
    live.pointOne('cert', 1);
    await untilSaid(server, /does not belong to the certificate/);
    assert.equal(await serialOf(secure), PAIRS[0].serial);
    live.pointOne('key', 1);
    await untilSerial(secure, 1);
  });

const BAD = [
  ['a certificate of another key', 'cert', () => readFileSync(PAIRS[1].cert), /does not belong/],
  ['a key of another certificate', 'key', () => readFileSync(PAIRS[1].key), /does not belong/],
  ['half a certificate', 'cert', () => readFileSync(PAIRS[0].cert).subarray(0, 300), /fullchain\.pem/],
  ['half a key', 'key', () => readFileSync(PAIRS[0].key).subarray(0, 100), /privkey\.pem/],
  ['an empty certificate', 'cert', () => '', /fullchain\.pem is empty/],
  ['an empty key', 'key', () => '', /privkey\.pem is empty/],
  ['noise', 'cert', () => Buffer.alloc(5000, 0xa5), /fullchain\.pem holds no PEM text/],
  ['no certificate', 'cert', null, /fullchain\.pem cannot be read: No such file/],
  ['no key', 'key', null, /privkey\.pem cannot be read: No such file/],
];
const UNFIT = [
  ['a pipe', 'cert', pipe, /fullchain\.pem is a pipe or a device and no regular file/],
  ['a pipe for a key', 'key', pipe, /privkey\.pem is a pipe or a device and no regular file/],
  ['too long a chain', 'cert', long, /The chain in .*fullchain\.pem takes \d+ bytes of a handshake/],
];

/* Two tests: the log takes ten lines of a kind in a second. */
for (const [name, rows] of [['no good pair', BAD], ['no file that can be read at once, or too long', UNFIT]]) {
  renewalTest(`what is ${name} is refused, with a word why, and the old one stays`, { expected: STAYED },
    async (server, secure, live) => {
      const client = await connect(secure, '/room/tea');
      for (const [title, what, make, words] of rows) {
        const before = said(server, STAYED);
        if (typeof make === 'string') live.replace(what, make);
        else if (make) live.write(what, make());
        else rmSync(live[what]);
        hangUp(server);
        await untilSaid(server, STAYED, before + 1);
        const line = server.stderr().split('\n').filter((one) => STAYED.test(one)).at(-1);
        assert.match(line, words, title);
        assert.equal(await serialOf(secure), PAIRS[0].serial, title);
        const renewed = said(server, RENEWED);
        live.pointOne(what, 0);
        hangUp(server);
        await untilSaid(server, RENEWED, renewed + 1);
      }
      live.point(2);
      hangUp(server);
      await untilSerial(secure, 2);
      const other = await connect(secure, '/room/tea');
      other.send('hello');
      assert.equal(await client.inbox.next(), 'hello');
      await leave(client, other);
    });
}

renewalTest('many SIGHUPs in a row do no harm', { expected: STAYED }, async (server, secure, live) => {
  const client = await connect(secure, '/room/tea');
  for (let i = 1; i <= 50; i++) {
    live.point(i % 3);
    hangUp(server);
    if (i % 10 === 0) await leave(await connect(secure));
  }
  await untilSerial(secure, 50 % 3);
  const other = await connect(secure, '/room/tea');
  other.send('hello');
  assert.equal(await client.inbox.next(), 'hello');
  /* A pair that was read while it was being replaced may have been refused: the next signal took the whole one. */
});

renewalTest('a session of before is taken up again after a renewal', { shards: [4] },
  async (server, secure, live) => {
    for (const version of ['-tls1_2', '-tls1_3']) {
      live.point(0);
      hangUp(server);
      await untilSerial(secure, 0);
      const session = pathOf(`renewed${version}`);
      await sClientAsks(secure, version, '-sess_out', session);
      live.point(2);
      hangUp(server);
      await untilSerial(secure, 2);
      assert.match((await sClientAsks(secure, version, '-sess_in', session)).output, /^Reused, /m);
    }
  });

serverTest('SIGHUP to a server without TLS reads no certificates', [], async (server) => {
  const client = await connect(server);
  hangUp(server);
  await untilSaid(server, /reload: done: 0 changes are applied, 0 need a restart/);
  assert.equal(said(server, RENEWED), 0);
  await leave(client);
});

/* --- expiry ------------------------------------------------------------------------------------------------------- */

const [LATE, SOON] = [pairOf('late', { days: -1 }), pairOf('soon', { days: 5 })];
const SOON_OR_LATE = /warn {1,2}the certificate in \S+ (expires within 14 days|has expired)/;

for (const [title, pairs, isWarned, least, most] of [
  ['one that is good for long', [ECDSA], null, 89, 90],
  ['one that expires in five days', [SOON], /soon\.pem expires within 14 days: renew it/, 4, 5],
  ['one that has expired', [LATE], /late\.pem has expired: renew it/, 0, 0],
  ['the first of several to expire', [ECDSA, SOON], /soon\.pem expires within 14 days: renew it/, 4, 5],
]) {
  tlsTest(`days are counted, and the log warns: ${title}`, { shards: [1], pairs }, async (server, secure) => {
    await leave(await connect(secure, '/', { rejectUnauthorized: false }));
    const { tls_days_left: days } = await counters(server);
    assert.ok(days >= least && days <= most, `${days} days`);
    if (isWarned) assert.match(server.stderr(), isWarned);
    else assert.doesNotMatch(server.stderr(), SOON_OR_LATE);
  });
}

renewalTest('a renewal ends the warning, and days count anew', { shards: [1] }, async (server, secure, live) => {
  await leave(await connect(secure));
  for (const what of ['cert', 'key']) live.replace(what, SOON[what]);
  hangUp(server);
  await untilSaid(server, SOON_OR_LATE);
  await untilCounters(server, (now) => now.tls_days_left <= 5, 'few days to be left');
  live.point(1);
  hangUp(server);
  await untilCounters(server, (now) => now.tls_days_left >= 89, 'many days to be left');
  assert.equal(said(server, SOON_OR_LATE), 1);
});

/* --- wrong options ------------------------------------------------------------------------------------------------ */

const encrypted = pathOf('encrypted.key');
openssl('pkcs8', '-topk8', '-in', ECDSA.key, '-out', encrypted, '-passout', 'pass:tea');
const backwards = pathOf('backwards.pem');
writeFileSync(backwards, readFileSync(ca.cert) + readFileSync(ECDSA.cert));
const { cert, key } = ECDSA;
const other = PAIRS[1];

test('files that will not do are refused at start with a sentence of cause and cure', async () => {
  const weak = pairOf('weak', { kind: 'rsa1024' }), ed25519 = pairOf('ed25519', { kind: 'ed25519' });
  for (const [words, ...args] of [
    [/--tls-listen: a certificate is missing; give --tls-cert/],
    [/every --tls-cert needs its --tls-key/, '--tls-cert', cert],
    [/--tls-min-version: .* give 1\.2 or 1\.3/, '--tls-cert', cert, '--tls-key', key, '--tls-min-version', '1.1'],
    [/--tls-cert/, '--tls-key', key],
    [/every --tls-cert needs its --tls-key/, '--tls-cert', cert, '--tls-key', key, '--tls-cert', other.cert],
    [/nowhere\.pem cannot be read: No such file/, '--tls-cert', `${folder}/nowhere.pem`, '--tls-key', key],
    [/nowhere\.key cannot be read: No such file/, '--tls-cert', cert, '--tls-key', `${folder}/nowhere.key`],
    [/is a directory and no regular file/, '--tls-cert', folder, '--tls-key', key],
    [/pipe\.pem is a pipe or a device and no regular file/, '--tls-cert', pipe, '--tls-key', key],
    [/The chain in .*long\.pem takes \d+ bytes of a handshake/, '--tls-cert', long, '--tls-key', key],
    [/next\.key.*does not belong to the certificate in/, '--tls-cert', cert, '--tls-key', other.key],
    [/swapped/, '--tls-cert', key, '--tls-key', cert],
    [/encrypted\.key is encrypted/, '--tls-cert', cert, '--tls-key', encrypted],
    [/openssl\.cnf holds no PEM text/, '--tls-cert', pathOf('openssl.cnf'), '--tls-key', key],
    [/Put it first/, '--tls-cert', backwards, '--tls-key', key],
    [/too weak/, ...pairArgs(weak)],
    [/ed25519/, ...pairArgs(ed25519)],
    [/nowhere\.ca cannot be read/, ...pairArgs(ECDSA), '--tls-client-ca', `${folder}/nowhere.ca`],
    [/holds a key and no certificate/, ...pairArgs(ECDSA), '--tls-client-ca', key],
    [/more than 16 values/, ...Array.from({ length: 17 }, () => pairArgs(ECDSA)).flat()],
  ]) {
    const addresses = ['--listen', `127.0.0.1:${await freePort()}`, '--tls-listen', `127.0.0.1:${await freePort()}`];
    const { code, output } = await run(process.env.RINGCAST, ...addresses, ...args);
    const isOfOptions = /^ringcast: (--tls-|every --tls-)/.test(output.trimEnd().split('\n').at(-1));
    assert.equal(code, isOfOptions ? 2 : 1, `${args}: ${code} ${output}`);
    assertQuiet(output);
    const complaints = output.trimEnd().split('\n').filter((line) => !/^\d{4}-\d\d-\d\dT/.test(line));
    assert.equal(complaints.length, 1, output);
    assert.match(complaints[0], /^ringcast: /);
    assert.match(complaints[0], words);
  }
});

test('the ready line names the TLS addresses too', async () => {
  const [plain, tls1, tls2] = [await freePort(), await freePort(), await freePort()];
  const tool = new Tool(process.env.RINGCAST, ['--listen', `127.0.0.1:${plain}`, '--tls-listen', `127.0.0.1:${tls1}`,
    '--tls-listen', `[::1]:${tls2}`, ...pairArgs(ECDSA)]);
  await tool.says(/listening on .*\n/);
  tool.child.kill('SIGTERM');
  const { code, output } = await tool.done();
  assert.match(output, new RegExp(`listening on http://127\\.0\\.0\\.1:${plain} and https://127\\.0\\.0\\.1:${tls1} `
    + `and https://\\[::1\\]:${tls2}, `));
  assert.equal(code, 0);
});
