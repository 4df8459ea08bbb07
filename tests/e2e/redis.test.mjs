/* tests/e2e/redis.test.mjs - the Redis of the tests is what they take it for; in the long run the tests that use it run
 * on Redis 8 and Valkey 8 of Debian 13 as well. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { MACHINE } from './program.mjs';
import { redisVersion, startRedis } from './redis.mjs';
import { runClosers, sized } from './support.mjs';
import { inTree, makeTree } from './tree.mjs';

afterEach(runClosers);

test('it is new enough for us', () => {
  assert.ok(redisVersion().major >= 7, redisVersion().text);
});

test('it ends and starts again, with what it has kept or without, at the same port', async () => {
  const redis = await startRedis({ config: ['appendonly yes', 'appendfsync always'] });
  let client = await redis.connect();
  await client.call('SET', 'key', 'ä"\r\n');
  await redis.kill();
  await client.ended;
  await assert.rejects(client.call('GET', 'key'), /ended/);
  await redis.start();
  client = await redis.connect();
  assert.equal(await client.call('GET', 'key'), 'ä"\r\n');
  assert.deepEqual(await redis.stop(), { code: 0, signal: null });
  await redis.start({ isEmpty: true });
  client = await redis.connect();
  assert.equal(await client.call('GET', 'key'), null);
  redis.destroy();
  assert.equal((await redis.ended).signal, 'SIGKILL');
  assert.ok(!existsSync(redis.folder));
});

test('frozen it takes what comes and answers once it thaws', async () => {
  const redis = await startRedis();
  redis.freeze();
  const client = await redis.connect();
  const answers = Promise.all([client.call('INCR', 'n'), client.call('INCR', 'n'), client.call('TYPE', 'n')]);
  redis.thaw();
  assert.deepEqual(await answers, [1, 2, 'string']);
});

test('the client takes errors, nested answers, bytes of any kind and what is published', async () => {
  const redis = await startRedis();
  const client = await redis.connect({ isBinary: true }), reader = await redis.connect({ isBinary: true });
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, at) => at & 255));
  await assert.rejects(client.call('EVALSHA', 'f'.repeat(40), 0), { code: 'NOSCRIPT' });
  assert.deepEqual(await client.call('EVAL', 'return {1, {ARGV[1], {}}, false}', 0, bytes), [1, [bytes, []], null]);
  await reader.subscribe('a', 'b');
  assert.equal(await client.call('PUBLISH', 'b', bytes), 1);
  assert.deepEqual(await reader.messages.next(), { channel: 'b', data: bytes });
  await reader.unsubscribe('b');
  assert.equal(await client.call('PUBLISH', 'b', bytes), 0);
  await reader.ssubscribe('c');
  assert.equal(await client.call('SPUBLISH', 'c', '1'), 1);
  assert.deepEqual(await reader.messages.next(), { channel: 'c', data: Buffer.from('1') });
  assert.equal(reader.strays.count, 0);
});

test('a Sentinel knows its master', async () => {
  const redis = await startRedis();
  const sentinel = await startRedis({ isSentinel: true, config: [`sentinel monitor main 127.0.0.1 ${redis.port} 1`] });
  const client = await sentinel.connect();
  assert.deepEqual(await client.call('SENTINEL', 'get-master-addr-by-name', 'main'), ['127.0.0.1', `${redis.port}`]);
});

/* ---- others ------------------------------------------------------------------------------------------------------ */

const HERE = new URL('.', import.meta.url).pathname;

/* A command that runs a program of the tree with the tree's own libraries, outside of it. */
function wrapped(tree, name) {
  const command = join(tree, name);
  const loader = readdirSync(join(tree, 'usr/lib', MACHINE)).find((file) => file.startsWith('ld-linux'));
  writeFileSync(command, `#!/bin/sh\nexec '${tree}/usr/lib/${MACHINE}/${loader}' --library-path ` +
    `'${tree}/usr/lib/${MACHINE}' '${tree}/usr/bin/${name}' "$@"\n`);
  chmodSync(command, 0o755);
  return command;
}

const OTHERS = ['redis-server', 'valkey-server'];

/* Nothing starts there: policy-rc.d says no to every service. */
function treeOfOthers(folder) {
  const tree = makeTree('trixie', folder);
  writeFileSync(join(tree, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  inTree(tree, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-y', '--no-install-recommends', 'install',
    ...OTHERS);
  return tree;
}

for (const suite of sized([], ['trixie'])) {
  test(`the tests that use it pass with ${OTHERS} of ${suite}`, (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'ringcast-others-'));
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    const tree = treeOfOthers(join(folder, suite));
    const files = readdirSync(HERE).filter((name) => /^(redis|cluster).*\.test\.mjs$/.test(name));
    for (const name of OTHERS) {
      const env = { ...process.env, REDIS_SERVER: wrapped(tree, name), RINGCAST_LONG: '0' };
      delete env.NODE_TEST_CONTEXT;    /* it is a run of its own */
      const { status, stdout } = spawnSync(process.execPath, ['--test', ...files],
        { cwd: HERE, env, encoding: 'utf8' });
      assert.equal(status, 0, `${name}:\n${stdout}`);
      assert.match(stdout, /^# pass [1-9]/m);
      context.diagnostic(`${name}: ${/^# pass .*/m.exec(stdout)}`);
    }
  });
}
