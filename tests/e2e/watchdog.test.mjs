/* tests/e2e/watchdog.test.mjs - a turn that takes too long is told while it lasts, with what led to it, and counted.
 * It is an event of a large body, which is digested and parsed in one piece. (That a process which stands still as a
 * whole is not taken for it: stall.test.mjs.) */

import assert from 'node:assert/strict';
import { APP, appArgs, call } from './channels.mjs';
import { counters, serverTest, until } from './support.mjs';

const LONG = 'not-to-be-told '.repeat(2 << 20);
const ARGS = [...appArgs(), '--shards', '2', '--body-bytes-max', '64MiB', '--watchdog-ms', '20ms'];

const STUCK = /warn  watchdog: shard (\d) has been in one turn for (\d+) ms, of which its thread computed for \d+ ms$/m;

serverTest('a turn that takes too long is told, with what led to it', ARGS, async (server) => {
  const body = JSON.stringify({ name: 'event', channel: 'news', data: LONG });
  await until(async () => {
    assert.equal((await call(server, 'POST', '/events', { body })).status, 413); /* its data is too large to publish */
    return (await counters(server)).turns_stuck > 0;
  }, 'a turn that takes too long');
  const [told, shard, ms] = await until(() => STUCK.exec(server.stderr()), 'the watchdog');
  assert.ok(Number(ms) >= 20);
  const [, after] = server.stderr().split(told);
  assert.match(after, /^\n.*warn  watchdog: it serves (no connection|connection \d+); what it did last:\n/);
  assert.match(after, /^.*warn  watchdog:   0 ms +RECEIVE of slot \d+: \d+$/m);
  await until(() => server.stderr().includes(`watchdog: shard ${shard} goes on, after `), 'its end');
  assert.doesNotMatch(server.stderr(), new RegExp(`not-to-be-told|${APP.secret}`));
});
