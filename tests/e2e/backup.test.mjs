/* tests/e2e/backup.test.mjs - the manual's way to save the durable log under a running server, and to put it back: as
 * `sqlite3 ringcast.db ".backup FILE"`, by the same call of SQLite's. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { appArgs, Peer } from './channels.mjs';
import { Backend, dataDir, durableArgs } from './kept.mjs';
import { startServer } from './server.mjs';
import { assertQuiet } from './support.mjs';

const BACKUP = `import sqlite3, sys
source = sqlite3.connect(sys.argv[1], timeout=10)
target = sqlite3.connect(sys.argv[2])
source.backup(target)
assert target.execute("PRAGMA integrity_check").fetchone() == ("ok",)`;

async function stop(server) {
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.stderr());
  assertQuiet(server.stderr());
}

async function publish(backend, from, to) {
  let position;
  for (let number = from; number <= to; number++) position = await backend.publish('private-a', String(number));
  return position;
}

test('a backup of a running server has what was acknowledged before it, and begins new epochs', async () => {
  const directory = dataDir(), file = join(directory, 'ringcast.db'), saved = join(dirname(directory), 'saved.db');
  const args = [...appArgs(), '--shards', '2', ...durableArgs(directory)];
  const first = await startServer(args);
  const backend = new Backend(first);
  const before = await publish(backend, 1, 20);
  execFileSync('/usr/bin/python3', ['-c', BACKUP, file, saved]);
  const after = await publish(backend, 21, 30);
  assert.deepEqual([before.offset, after.offset], [20, 30]);
  backend.close();
  await stop(first);

  for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(name, { force: true });
  copyFileSync(saved, file);
  const second = await startServer(args);
  const anew = new Backend(second);
  const { items, epoch } = (await anew.page('private-a', { limit: 100 }));
  assert.deepEqual(items.map(({ data }) => Number(data)), Array.from({ length: 20 }, (_, i) => i + 1));
  assert.notEqual(epoch, before.epoch);
  const ann = await Peer.open(second);
  const success = await ann.subscribe('private-a', { recover: { epoch: after.epoch, offset: after.offset } });
  assert.equal(success.recovered, false, 'who had heard more is told');
  await ann.leave();
  anew.close();
  await stop(second);
});
