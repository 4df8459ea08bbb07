/* tests/e2e/run.mjs - programs that end by themselves: what they wrote, how they ended, and whether they said why. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { assertQuiet, within } from './support.mjs';

/* Runs a command, by default the server, to its end. `onStdout` gets what it has written so far and the child. */
export async function run(args, { command = process.env.RINGCAST, env = {}, onStdout } = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const result = { stdout: '', stderr: '' };
  child.stderr.setEncoding('utf8').on('data', (text) => { result.stderr += text; });
  child.stdout.setEncoding('utf8').on('data', (text) => {
    result.stdout += text;
    onStdout?.(result.stdout, child);
  });
  try {
    const [code, signal] = await within(once(child, 'close'), 'a server to end');
    return { ...result, code, signal };
  } finally {
    child.kill('SIGKILL');
  }
}

/* The complaint is the last line on stderr; nothing but log lines stands before it. */
export function assertRefused(result, code, ...words) {
  assert.deepEqual([result.code, result.signal, result.stdout], [code, null, ''], result.stderr);
  assertQuiet(result.stderr);
  const complaints = result.stderr.trimEnd().split('\n').filter((line) => !/^\d{4}-\d\d-\d\dT/.test(line));
  assert.equal(complaints.length, 1, result.stderr);
  for (const word of [/^ringcast: /, ...words]) assert.match(complaints[0], word);
}
