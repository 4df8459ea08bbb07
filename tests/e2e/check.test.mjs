/* tests/e2e/check.test.mjs - ringcast check: what a start would come to, also beside a server that runs. */

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startRedis } from './redis.mjs';
import { run } from './run.mjs';
import { freePort, startServer } from './server.mjs';
import { runClosers } from './support.mjs';
import { pairArgs, pairOf } from './tls.mjs';

const folder = mkdtempSync(join(tmpdir(), 'ringcast-check-'));
after(() => rmSync(folder, { recursive: true }));

async function check(args) {
  const { code, stdout, stderr } = await run(['check', '--json', ...args]);
  assert.equal(stderr, '');
  const answer = JSON.parse(stdout);
  assert.equal(answer.warnings, answer.findings.filter(({ level }) => level === 'warning').length);
  return { code, ...answer, of: (about) => answer.findings.filter((finding) => finding.about === about) };
}

test('of what would start the status is 0, and 1 with --strict when there is a warning', async () => {
  const args = ['--listen', `127.0.0.1:${await freePort()}`];
  const { code, stdout } = await run(['check', ...args]);
  assert.equal(code, 0, stdout);
  const warnings = Number(/\nringcast would start; warnings: (\d+)\n$/.exec(stdout)[1]);
  assert.equal((await run(['check', '--strict', ...args])).code, warnings > 0 ? 1 : 0);
  const odd = [...args, '--data-dir', folder];                // which nothing is stored in
  assert.equal((await check(odd)).code, 0);
  assert.equal((await run(['check', ...odd, '--strict'])).code, 1);
  assert.deepEqual(readdirSync(folder), [], 'nothing was written');
});

test('check --help says what it is, and a terminal obeys nothing that a name has in it', async () => {
  const help = await run(['check', '--help', '--sharks']);
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /^Usage: ringcast check .*\n[^]*--strict[^]*--json[^]*Exit status/);
  const { code, findings } = await check(['--config', '/caf\x1b[2J\u009b']);
  assert.equal(code, 2);
  assert.match(findings[0].what, /caf\?\[2J\\xc2\\x9b cannot be read/);
  const name = 'no\x1b\u009bsuch';
  const args = ['--listen', '127.0.0.1:0', '--tls-listen', '127.0.0.1:0', '--tls-cert', name, '--tls-key', name];
  const start = await run(args);
  assert.equal(start.code, 1);
  assert.match(start.stderr, /no\\x1b\\xc2\\x9bsuch cannot be read/);
});

test('all that is wrong with the options is found, with 2', async () => {
  const config = join(folder, 'wrong.conf');
  writeFileSync(config, '[limits]\nping_ms = often\n[app 1]\nkey = k\n');
  const answer = await check(['--config', config]);
  assert.deepEqual([answer.code, answer.status, answer.findings.length], [2, 2, 2]);
  assert.match(answer.findings[0].what, /wrong\.conf:2: ping_ms: /);
  rmSync(config);
});

test('certificates are read, and have days', async () => {
  const listen = ['--listen', '127.0.0.1:0', '--tls-listen', '127.0.0.1:0'];
  const good = await check([...listen, ...pairArgs(pairOf('check-good'))]);
  assert.equal(good.code, 0);
  assert.match(good.of('certificates')[0].what, / has (89|90) days$/);
  const old = await check([...listen, ...pairArgs(pairOf('check-old', { days: 3 }))]);
  assert.deepEqual([old.code, old.of('certificates')[0].level], [0, 'warning']);
  const without = await check(listen);
  assert.deepEqual([without.code, without.of('options')[0].level], [2, 'fault']);
  const keys = join(folder, 'ticket.keys');
  writeFileSync(keys, 'no key\n');
  const tickets = await check([...listen, ...pairArgs(pairOf('check-good')), '--tls-ticket-keys', keys]);
  assert.equal(tickets.code, 1);
  assert.match(tickets.of('certificates')[0].what, /Line 1 of .*ticket\.keys/);
});

test('--user sees what the user of the service may read, where root may read everything', async () => {
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'topsecret\n', { mode: 0o600 });
  chmodSync(folder, 0o755);
  const args = ['--listen', '127.0.0.1:0', '--app', `1:k:@${secret}`];
  if (process.getuid() === 0) {
    assert.equal((await check(args)).code, 0);
    const answer = await check(['--user', 'nobody', ...args]);
    assert.deepEqual([answer.code, answer.status], [2, 2]);
    assert.match(answer.findings[0].what, /Permission denied|cannot be read/);
    chmodSync(secret, 0o644);
    assert.equal((await check([...args, '--user=nobody'])).code, 0);
    const low = await check(['--user', 'nobody', ...args.with(1, '127.0.0.1:999')]);
    assert.match(low.of('addresses')[0].what, /^127\.0\.0\.1:999 is (free|in use)$/, 'as the unit may');
  } else {
    const other = await run(['check', '--user', 'root', ...args]);
    assert.equal(other.code, 2);
    assert.match(other.stderr, /cannot become root: .*run it as root/);
  }
  for (const nobody of ['no-such-user', '']) {
    const { code, stderr } = await run(['check', `--user=${nobody}`, ...args]);
    assert.deepEqual([code, stderr.includes(`no user is called "${nobody}"`)], [2, true], stderr);
  }
});

test('a server that runs is no fault: it may be the one that is checked', async () => {
  const data = join(folder, 'data');
  const store = ['--history', '* durable=yes', '--data-dir', data];
  const server = await startServer(store);
  try {
    const answer = await check(['--listen', `127.0.0.1:${server.port}`, ...store]);
    assert.deepEqual([answer.code, answer.status], [0, 0]);
    assert.equal(answer.of('addresses')[0].level, 'warning');
    assert.match(answer.of('addresses')[0].what, / is in use$/);
    assert.ok(answer.of('store').some(({ level, what }) => level === 'warning' && what === `${data} is in use`));
    assert.equal((await fetch(`${server.url}/up`)).status, 200);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    const later = await check(['--listen', `127.0.0.1:${server.port}`, ...store]);
    assert.ok(!later.of('store').some(({ what }) => what.endsWith('is in use')));
  } finally {
    await server.kill();
  }
});

/* ---- Redis ------------------------------------------------------------------------------------------------------- */

const LISTEN = ['--listen', '127.0.0.1:0'];
const redisTest = (title, body) => test(title, async () => {
  try {
    await body();
  } finally {
    runClosers();
  }
});

redisTest('a Redis is opened as by a node, and nothing is written there', async () => {
  const redis = await startRedis({ config: ['appendonly yes'] });
  const { code, of } = await check([...LISTEN, '--redis', `redis://127.0.0.1:${redis.port}`]);
  assert.equal(code, 0);
  const findings = of('redis');
  assert.deepEqual(findings.map(({ level }) => level), ['good'], JSON.stringify(findings));
  assert.match(findings[0].what, /^127\.0\.0\.1:\d+: version \d+\.\d+\.\d+, a master with 0 replicas$/);
  const client = await redis.connect();
  assert.equal(await client.call('DBSIZE'), 0);
});

redisTest('what a Redis throws away, lacks, or does not let its user do is told', async () => {
  const redis = await startRedis({ config: ['maxmemory 20mb', 'maxmemory-policy allkeys-lru',
    'user node on >secret ~ringcast:* &other:* +@all -xadd -script'] });
  const password = join(folder, 'password');
  writeFileSync(password, 'secret\n');
  const args = [...LISTEN, '--redis', `redis://node@127.0.0.1:${redis.port}`, '--redis-password-file', password,
    '--redis-replicas', '1', '--history', 'a durable=yes', '--data-dir', join(folder, 'redis-data')];
  const { code, of } = await check(args);
  assert.equal(code, 0);
  const warned = of('redis').filter(({ level }) => level === 'warning').map(({ what }) => what);
  assert.equal(warned.length, 4, JSON.stringify(warned));
  assert.match(warned[0], /maxmemory-policy is allkeys-lru$/);
  assert.match(warned[1], /appendonly is no$/);
  assert.match(warned[2], /has 0 replicas, and redis_replicas is 1$/);
  assert.match(warned[3], /names of prefix ringcast: PUBLISH SCRIPT XADD SUBSCRIBE$/);
});

redisTest('a Redis that is not there is a warning, and with --redis-wait=no a fault', async () => {
  const args = [...LISTEN, '--redis', `redis://127.0.0.1:${await freePort()}`];
  for (const [more, code, level] of [[[], 0, 'warning'], [['--redis-wait=no'], 1, 'fault']]) {
    const answer = await check([...args, ...more]);
    assert.deepEqual([answer.code, answer.of('redis').map((finding) => finding.level)], [code, [level]]);
    assert.match(answer.of('redis')[0].what, /refuses connections; is it running/);
  }
  const sentinel = await check([...LISTEN, '--redis', `redis+sentinel://127.0.0.1:${await freePort()}/main`,
    '--redis-silent-ms-max', '500ms']);
  assert.match(sentinel.of('redis')[0].what, /^sentinel 127\.0\.0\.1:\d+ refuses connections/);
});
