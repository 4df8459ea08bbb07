/* tests/e2e/refused.test.mjs - system calls that a seccomp profile refuses: every start, and every run that cannot go
 * on, ends with a sentence that names the call. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, run } from './run.mjs';
import { startServer } from './server.mjs';

const { RINGCAST, LOAD, DENY_CALL } = process.env;

function runWithout(call, error, args, program = RINGCAST) {
  return run([call, error, program, ...args], { command: DENY_CALL });
}

test('without one of the calls of io_uring it ends with 3, without memory for it with 1', async () => {
  for (const [call, error, code, ...words] of [
    ['io_uring_setup', 'ENOSYS', 3, /io_uring_setup is refused.*not implemented/, /io_uring_disabled=0/, /seccomp/],
    ['io_uring_setup', 'EPERM', 3, /io_uring_setup is refused.*not permitted/, /io_uring_disabled=0/, /seccomp/],
    ['io_uring_setup', 'ENOMEM', 1, /no memory/, /RLIMIT_MEMLOCK/, /ulimit -l/],
    ['io_uring_register', 'ENOSYS', 3, /io_uring_register is refused.*not implemented/, /seccomp/],
    ['io_uring_register', 'EPERM', 3, /io_uring_register is refused.*not permitted/, /seccomp/],
    ['io_uring_enter', 'ENOSYS', 3, /io_uring_enter is refused.*not implemented/, /seccomp/],
    ['io_uring_enter', 'EPERM', 3, /io_uring_enter is refused.*not permitted/, /seccomp/],
  ]) {
    assertRefused(await runWithout(call, error, ['--listen', '127.0.0.1:0']), code, ...words);
  }
});

test('a check says the same, with the status that a start would have had', async () => {
  for (const [call, error, code] of [['io_uring_setup', 'EPERM', 3], ['io_uring_enter', 'ENOSYS', 3],
    ['io_uring_setup', 'ENOMEM', 1]]) {
    const { code: status, stdout } = await runWithout(call, error, ['check', '--listen', '127.0.0.1:0']);
    assert.equal(status, code, stdout);
    assert.match(stdout, /^fault +io_uring /m);
    assert.match(stdout, new RegExp(`\\nringcast would not start, it would end with ${code}; warnings: \\d+\\n$`));
  }
});

test('a server whose io_uring is refused while it runs ends, and says why', async () => {
  const { code, signal, stderr } = await runWithout('io_uring_enter_later', 'EPERM', ['--listen', '127.0.0.1:0',
    '--shards', '2']);
  assert.deepEqual([code, signal], [3, null], stderr);
  assert.match(stderr, /^ringcast: io_uring is not allowed here: io_uring_enter is refused.*not permitted/m);
  assert.match(stderr, / info  stopped\n/);
});

test('without threads it says who refuses them', async () => {
  assertRefused(await runWithout('clone3', 'EPERM', ['--listen', '127.0.0.1:0']), 1, /no thread/, /seccomp/, /clone3/);
  assertRefused(await runWithout('clone3', 'EAGAIN', ['--listen', '127.0.0.1:0']), 1, /no thread/, /ulimit -u/);
});

test('without random numbers, or without signals, it ends too', async () => {
  assertRefused(await runWithout('getrandom', 'ENOSYS', ['--listen', '127.0.0.1:0']), 1, /getrandom/, /seccomp/);
  assertRefused(await runWithout('getrandom', 'EPERM', ['--listen', '127.0.0.1:0']), 1, /getrandom/, /seccomp/);
  const { code, stderr } = await runWithout('rt_sigtimedwait', 'EPERM', ['--listen', '127.0.0.1:0']);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^ringcast: rt_sigtimedwait.*seccomp/m);
});

test('ringcast-load says which call is refused', async () => {
  const server = await startServer();
  try {
    const args = ['--url', `ws://127.0.0.1:${server.port}/`, '--connections', '2', '--seconds', '1'];
    for (const [call, error, words] of [
      ['io_uring_setup', 'EPERM', /io_uring_setup is refused/],
      ['io_uring_register', 'EPERM', /io_uring_register is refused/],
      ['io_uring_enter', 'EPERM', /io_uring_enter is refused/],
      ['io_uring_enter_later', 'ENOSYS', /io_uring_enter is refused.*not implemented/],
      ['clone3', 'EPERM', /no thread.*seccomp/],
    ]) {
      const { code, stderr } = await runWithout(call, error, args, LOAD);
      assert.equal(code, 1, stderr);
      assert.match(stderr, words);
    }
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  } finally {
    await server.kill();
  }
});
