/* tests/e2e/mock_ringcast.mjs - a server for tests of server/web/ringcast.js that does what the test says, no more.
 * It greets (unless told not to), takes in what clients send, and sends or breaks what the test wants. ServingLink
 * makes it keep the promises of history, resume and acknowledgements, for tests that break connections at random.
 *
 * The module under test is imported from a copy in a package of modules: Node 18 takes other .js files for CommonJS. */

import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import WebSocket, { WebSocketServer } from 'ws';
import { Inbox, until } from './support.mjs';

globalThis.crypto ??= webcrypto;    /* Node 18 */

const folder = mkdtempSync(path.join(tmpdir(), 'ringcast-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
for (const name of ['ringcast.js', 'ringcast_channel.js']) {
  copyFileSync(new URL(`../../server/web/${name}`, import.meta.url), path.join(folder, name));
}
export const MODULE = pathToFileURL(path.join(folder, 'ringcast.js')).href;
export const { Ringcast, RingcastError, RingcastEvent } = await import(MODULE);

const HASTE = { retryFirstMs: 1, retryMaxMs: 8 };
const TEST_MS = 60_000;
const closers = [];

/* Ends the clients and mocks of a test. */
export function closeAll() {
  for (const close of closers.splice(0)) close();
}

/* A test with a mock of its own, made with these options. */
export function mockTest(title, body, options) {
  test(title, { timeout: TEST_MS }, async () => {
    try {
      await body(await startMock(options));
    } finally { closeAll(); }
  });
}

/* A client with an inbox of its `states` and one of its `errors`; options are those of the module. */
export function newClient(url, options = {}) {
  const client = new Ringcast({ key: 'somekey', url, WebSocket, ...HASTE, ...options });
  client.states = new Inbox();
  client.errors = new Inbox();
  client.on('state', (state) => client.states.put(state));
  client.on('error', (error) => client.errors.put(error));
  closers.push(() => client.close());
  return client;
}

/* What happens to a channel, in order: [what, value]. */
export function inboxOf(channel, ...whats) {
  const inbox = new Inbox();
  for (const what of whats) channel.on(what, (value) => inbox.put([what, value]));
  return inbox;
}

/* One client as the server sees it. */
export class MockLink {
  frames = new Inbox();

  constructor(socket, request) {
    this.socket = socket;
    this.path = request.url;
    this.ended = once(socket, 'close').then(([code]) => code);
    socket.on('message', (text) => this.take(JSON.parse(text)));
  }

  take(frame) { this.frames.put(frame); }

  sendText(text) { this.socket.send(text); }

  send(event, channel, data, more = {}) {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    this.sendText(JSON.stringify({ event, channel, data: text, ...more }));
  }

  greet(socketId, activityTimeout = 120) {
    this.socketId = socketId;
    this.send('pusher:connection_established', undefined, { socket_id: socketId, activity_timeout: activityTimeout });
  }

  /* The next frame, which must have this event. */
  async expect(event) {
    const frame = await this.frames.next(event);
    if (frame.event !== event) throw new Error(`${event} was to come, not ${JSON.stringify(frame)}`);
    return frame;
  }

  succeed(channel, data = {}) { this.send('pusher_internal:subscription_succeeded', channel, data); }

  /* Awaits the subscription and lets the client in; returns the data of the question. */
  async admit(channel, data) {
    const question = await this.expect('pusher:subscribe');
    if (question.data.channel !== channel) throw new Error(`${channel} was to come, not ${question.data.channel}`);
    this.succeed(channel, data);
    return question.data;
  }

  acknowledge(data) { this.send('pusher_internal:ringcast_ack', undefined, data); }

  /* No goodbye. */
  cut() { this.socket.terminate(); }
}

/* `greets` is looked at for each connection. `links` is an inbox of MockLinks, greeted if so. */
export async function startMock({ port = 0, greets = true, Link = MockLink, ...more } = {}) {
  const server = new WebSocketServer({ host: '127.0.0.1', port });
  await once(server, 'listening');
  const mock = { links: new Inbox(), all: [], greets, ...more, port: server.address().port };
  mock.url = `ws://127.0.0.1:${mock.port}`;
  server.on('connection', (socket, request) => {
    socket.on('error', () => {});
    const link = new Link(socket, request, mock);
    mock.all.push(link);
    if (mock.greets) link.greet(`1.${mock.all.length}`);
    mock.links.put(link);
  });
  mock.stop = async () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
    await once(server, 'close');
  };
  closers.push(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return mock;
}

/* --- what tests share --------------------------------------------------------------------------------------------- */

export const TEA = 'private-tea';
export const ROOM = 'presence-room';
export const EPOCH = 'aaaaaaaa';
export const EPOCH_2 = 'bbbbbbbb';
export const PATIENT = { retryFirstMs: 1e7, retryMaxMs: 1e9 };    /* waits until it is told to go on */

export const authorize = async ({ socketId, channel }) => ({ auth: `somekey:${socketId}:${channel}` });

export const at = (offset, epoch = EPOCH) => ({ offset, epoch });

/* A client that is in a channel at offset 5, and the server's end of it. */
export async function joined(mock, { name = TEA, data = at(5), ...options } = {}) {
  const client = newClient(mock.url, { authorize, ...options });
  const channel = client.subscribe(name);
  client.connect();
  const link = await mock.links.next();
  await link.admit(name, data);
  await until(() => channel.state === 'subscribed', 'the subscription');
  return { client, channel, link };
}

export async function rejoined(mock, name, data) {
  const link = await mock.links.next();
  return { link, question: await link.admit(name, data) };
}

export async function stateOf(client, name) {
  for (;;) {
    const state = await client.states.next(`the state ${name}`);
    if (state.name === name) return state;
  }
}

export const names = async (inbox, count) => (await inbox.take(count, 'events')).map(([, event]) => event.name);

/* What was sent before has been worked off when this returns. */
export async function settle(client, link) {
  link.send('pusher:error', undefined, { code: null, message: 'settled' });
  while ((await client.errors.next('the mark')).message !== 'settled') { /* earlier ones */ }
}

/* --- one that serves ---------------------------------------------------------------------------------------------- */

/* A channel for all: its log, and what was published under which id. */
export class Log {
  epoch = 'aaaaaaaa';
  items = [];
  ids = new Map();
  offset = 0;

  /* `step` > 1 leaves gaps in the offsets. */
  append(name, data, step = 1) {
    this.offset += step;
    const item = { offset: this.offset, name, data };
    this.items.push(item);
    return item;
  }
}

/* `mock.log` is the one channel's; `mock.mood(what)` may say 'cut', 'lose' (do it, but cut before saying so) or
 * 'refuse' (publishing, to be tried again) to each thing that a client wants. */
export class ServingLink extends MockLink {
  constructor(socket, request, mock) {
    super(socket, request);
    this.mock = mock;
  }

  take({ event, channel, data, id }) {
    const mood = this.mock.mood(event);
    if (mood === 'cut') return this.cut();
    if (event === 'pusher:subscribe') this.subscribe(data);
    if (event.startsWith('client-')) this.publish(event, channel, data, id, mood);
    if (mood === 'lose') this.cut();
    return undefined;
  }

  subscribe({ channel, recover }) {
    const { log } = this.mock;
    const recovered = recover.epoch === log.epoch;
    this.succeed(channel, { offset: log.offset, epoch: log.epoch, recovered });
    const missed = recovered ? log.items.filter(({ offset }) => offset > recover.offset) : [];
    for (const item of missed) this.give(channel, item);
    this.isIn = true;
  }

  give(channel, { name, data, offset }) { this.send(name, channel, data, { offset, epoch: this.mock.log.epoch }); }

  publish(name, channel, data, id, mood) {
    const { log } = this.mock;
    if (mood === 'refuse') return this.acknowledge({ id, channel, error: 'too fast', code: 4301, retry: true });
    if (!log.ids.has(id)) {
      const item = log.append(name, data, this.mock.step());
      log.ids.set(id, item.offset);
      for (const link of this.mock.all) {
        if (link !== this && link.isIn && link.socket.readyState === WebSocket.OPEN) link.give(channel, item);
      }
    }
    if (mood !== 'lose') this.acknowledge({ id, channel, offset: log.ids.get(id), epoch: log.epoch });
    return undefined;
  }
}
