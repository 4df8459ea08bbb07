/* tests/e2e/measure_memory.mjs - how much memory a server has before, in and after a burst: connections over TLS that
 * come and go, readers that do not read.
 *
 *     RINGCAST=$PWD/build/release/bin/ringcast node tests/e2e/measure_memory.mjs
 *
 * Says MiB of resident memory, and how many turns of the loop took longer than 5 ms once the burst was over. */

import { readFileSync } from 'node:fs';
import { connect, connectMany, counters, sleep } from './support.mjs';
import { freePort, startServer } from './server.mjs';
import { ECDSA, herd, pairArgs } from './tls.mjs';

const CONNECTIONS = 2000, READERS = 100, AFTER_S = [1, 15, 30];
const MESSAGE = 'x'.repeat(1000), MESSAGES = 12_000;

const residentMib = (server) => Math.round(readFileSync(`/proc/${server.pid}/statm`, 'latin1').split(' ')[1] / 256);

async function connectionsComeAndGo(server, port) {
  let full;
  const whenAllIn = () => { full = residentMib(server); };
  await herd({ port }, CONNECTIONS, { spreadMs: 0, patienceMs: 60_000, whenAllIn });
  return full;
}

async function nobodyReads(server) {
  const readers = await Promise.all(Array.from({ length: READERS }, (_, i) => connect(server, `/room/${i}`)));
  for (const reader of readers) reader.pause();
  const speakers = await Promise.all(readers.map((_, i) => connect(server, `/room/${i}`)));
  let full = 0;
  for (let i = 0; i < MESSAGES; i += 100) {
    for (const speaker of speakers) for (let k = 0; k < 100; k += 1) speaker.send(MESSAGE);
    while (speakers.some((speaker) => speaker.bufferedAmount > 0)) await sleep(5);
    full = Math.max(full, residentMib(server));
  }
  for (const client of [...readers, ...speakers]) client.terminate();
  return full;
}

async function measure(what, burst) {
  const port = await freePort();
  const server = await startServer(['--shards', '1', '--tls-listen', `127.0.0.1:${port}`, ...pairArgs(ECDSA),
    '--outbox-bytes-max', '16MiB']);
  for (const one of await connectMany(server, 2)) one.terminate();
  const figures = [`before ${residentMib(server)}`];
  for (let round = 1; round <= 2; round += 1) {
    figures.push(`in burst ${round}: ${await burst(server, port)}`);
    const { turns_over_5ms: slow } = await counters(server), begun = Date.now();
    for (const seconds of AFTER_S) {
      await sleep(begun + seconds * 1000 - Date.now());
      figures.push(`${seconds} s after it: ${residentMib(server)}`);
    }
    figures.push(`turns over 5 ms: ${(await counters(server)).turns_over_5ms - slow}`);
  }
  console.log(`${what}: ${figures.join('; ')}`);
  await server.stop();
}

await measure(`${CONNECTIONS} wss connections come and go`, connectionsComeAndGo);
await measure(`${READERS} readers do not read`, nobodyReads);
