/* tests/e2e/measure_drain.mjs - no test: a crowd that moves from a server that is told to stop to another one.
 *
 *     RINGCAST=$PWD/build/release/bin/ringcast node tests/e2e/measure_drain.mjs [CLIENTS [SECONDS]]
 *
 * CLIENTS (5000) of ringcast.js are in 100 channels of one server and have a backend publish 20 messages a second to
 * it and to a second server, as backends do that have no log in common. Then the first is drained over SECONDS (20).
 * What stands for the balancer looks at /health twice a second; whoever connects gets the server that is ready. Clients
 * go on from the history of their new server, and put together what they have by the number of each message.
 * What is told: how many came back in the second that had most of them, beside the even rate; messages that a client
 * has not got; publishes that the first server did not answer before its last client was gone. */

import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { Ringcast } from '../../server/web/ringcast.js';
import { APP, appArgs, call } from './channels.mjs';
import { startServer } from './server.mjs';
import { sleep, until } from './support.mjs';

const [count = 5000, seconds = 20] = process.argv.slice(2).map(Number);
const CHANNELS = 100;
const [PUBLISH_MS, HEALTH_MS, AT_A_TIME] = [50, 500, 50];
const ARGS = [...appArgs(), '--shards', '2', '--history', '*', '--drain-delay-ms', '2s', '--drain-ms', `${seconds}s`];

const servers = [await startServer(ARGS), await startServer(ARGS)];
const [first, second] = servers;
let ready = first;

/* --- clients ------------------------------------------------------------------------------------------------------ */

class Balanced extends WebSocket {
  constructor(url) {
    super(url.replace(`:${first.port}`, `:${ready.port}`));
    this.server = ready;
  }
}

const returns = [];    /* when somebody was let in by the second server */
let left = 0;          /* how many the first one has closed */

function newClient(i) {
  let socket;
  class Noted extends Balanced {
    constructor(url) {
      super(url);
      socket = this;
    }
  }
  const client = new Ringcast({ key: APP.key, url: `ws://127.0.0.1:${first.port}`, WebSocket: Noted });
  const channel = client.subscribe(`room-${i % CHANNELS}`);
  const numbers = new Set();
  client.on('state', ({ name }) => {
    if (name === 'open' && socket.server === second) returns.push(performance.now());
    if (name === 'waiting' && socket.server === first) left += 1;
  });
  channel.bind('ev', ({ data }) => numbers.add(Number(data)));
  channel.on('gap', async () => {
    for (const { data } of (await channel.history({ limit: 1000 })).items) numbers.add(Number(data));
  });
  client.connect();
  return { client, channel, numbers };
}

/* --- backend and balancer ----------------------------------------------------------------------------------------- */

const published = Array.from({ length: CHANNELS }, () => []);
const failed = [];    /* { began, message } */
let isOver = false;

async function publishTo(server, channel, number) {
  const event = { name: 'ev', channel, data: String(number) };
  const { status } = await call(server, 'POST', '/events', { body: event });
  assert.equal(status, 200);
}

/* To the first as long as it has clients: who has left it needs nothing from it. */
async function backend() {
  for (let number = 0; !isOver; number++) {
    const channel = number % CHANNELS;
    published[channel].push(number);
    const to = left < count ? servers : [second];
    const began = Date.now();
    await Promise.all(to.map(async (server) => {
      await publishTo(server, `room-${channel}`, number).catch(({ message }) => failed.push({ began, message }));
    }));
    await sleep(PUBLISH_MS);
  }
}

async function balance() {
  while (ready === first) {
    const answer = await fetch(`${first.url}/health`).catch(() => ({ ok: false }));
    if (!answer.ok) ready = second;
    await sleep(HEALTH_MS);
  }
}

/* --- the measurement ---------------------------------------------------------------------------------------------- */

function mostInASecond(times) {
  let most = 0;
  for (let from = 0, to = 0; to < times.length; to++) {
    while (times[to] - times[from] >= 1000) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

const clients = [];
while (clients.length < count) {
  const next = [];
  while (next.length < AT_A_TIME && clients.length < count) {
    next.push(newClient(clients.length));
    clients.push(next.at(-1));
  }
  await until(() => next.every(({ channel }) => channel.state === 'subscribed'), 'clients to be in');
}
const [publishing, balancing] = [backend(), balance()];
await sleep(2000);
const began = performance.now();
const end = first.stop();
await until(() => returns.length >= count, 'all to be back', { limit: seconds * 2000 + 20_000 });
const took = returns.at(-1) - returns[0];
assert.equal((await end).code, 0);
await until(() => clients.every(({ channel }) => channel.state === 'subscribed'), 'all to be in');
await sleep(1000);
isOver = true;
await Promise.all([publishing, balancing]);
await sleep(1000);
const lost = clients.reduce((sum, { numbers }, i) => (
  sum + published[i % CHANNELS].filter((number) => !numbers.has(number)).length), 0);
const [most, even] = [mostInASecond(returns), count / seconds];
const [, lastGoodbye] = /^(\S+) .*all clients were told goodbye$/m.exec(first.stderr());
const unanswered = failed.filter((one) => one.began < Date.parse(lastGoodbye));
const messages = published.flat().length;
console.log(`${count} clients over ${seconds} s: ${returns.length} came back in ${(took / 1000).toFixed(1)} s, `
  + `the first ${((returns[0] - began) / 1000).toFixed(1)} s after the signal; at most ${most} in a second = `
  + `${(most / even).toFixed(2)} x the even ${even.toFixed(0)}; ${messages} messages, ${lost} lost, `
  + `${unanswered.length} publishes unanswered`);
for (const { message } of unanswered.slice(0, 3)) console.log(message);
for (const { client } of clients) client.close();
await second.stop();
