/* tests/e2e/manager.mjs - a server under manager.py, which plays systemd. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Inbox } from './support.mjs';

const MANAGER = fileURLToPath(new URL('manager.py', import.meta.url));
const running = new Set();

process.on('exit', () => {
  for (const [manager, pid] of [...running].map((one) => [one.child, one.pid])) {
    try { if (pid !== undefined) process.kill(pid, 'SIGKILL'); } catch { /* it has ended */ }
    manager.kill('SIGKILL');
  }
});

function line(server, { pid, socket, port, heard, code }) {
  if (pid !== undefined) server.pid = pid;
  if (socket !== undefined) server.ports[socket] = port;
  if (heard !== undefined) server.heard.put(heard);
  if (code === undefined) return;
  server.pid = undefined;
  server.ends.put(code);
}

/* Starts a server with these arguments; managerArgs are those of manager.py, `wrapper` a command that runs the server.
 *   pid       of the server, while there is one
 *   ports     of the sockets that it was passed, by their names
 *   heard     an inbox of what it told the manager, ends one of exit statuses
 *   stderr()  what it has written so far
 *   again()   starts it once more, when it has ended
 *   close()   ends all of it */
export function startManaged(args, managerArgs = [], wrapper = []) {
  const command = [...wrapper, process.env.RINGCAST, ...args];
  /* What looks for leaks at the end needs more than a server does. */
  const env = wrapper.length > 0 ? { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' } : process.env;
  const child = spawn('/usr/bin/python3', ['-B', MANAGER, ...managerArgs, '--', ...command], { env });
  const server = { child, ports: {}, heard: new Inbox(), ends: new Inbox() };
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (stdout + text).split('\n');
    stdout = lines.pop();
    for (const json of lines) line(server, JSON.parse(json));
  });
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
  running.add(server);
  server.stderr = () => stderr;
  server.again = () => child.stdin.write('--again\n');
  server.close = () => {
    running.delete(server);
    if (server.pid !== undefined) process.kill(server.pid, 'SIGKILL');
    child.kill('SIGKILL');
  };
  return server;
}
