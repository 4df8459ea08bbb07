/* tests/e2e/protocol.test.mjs - RFC 6455's rules for frames, one by one, as bytes on a socket.
 *
 * Tables say what is sent and with which code the server must close; a good client watches that the rest goes on. */

import assert from 'node:assert/strict';
import { connect, serverTest } from './support.mjs';
import { close, frame, handshake, OPCODE, ping, RawClient, text } from './raw.mjs';

const { continuation, binary, pong } = OPCODE;
const BAD_UTF8 = {
  'a lone continuation byte': [0x80],
  'an overlong slash': [0xc0, 0xaf],
  'an overlong NUL of three bytes': [0xe0, 0x80, 0x80],
  'a surrogate': [0xed, 0xa0, 0x80],
  'beyond U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
  'a byte that never occurs': [0xfe],
  'a lead byte without its rest': [0xc3, 0x28],
};

/* [what, bytes, close code] */
const BAD_FRAMES = [
  ['first reserved bit', text('x', { reserved: 4 }), 1002],
  ['second reserved bit', text('x', { reserved: 2 }), 1002],
  ['third reserved bit', text('x', { reserved: 1 }), 1002],
  ['reserved bit on a ping', ping('', { reserved: 4 }), 1002],
  ...[3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf].map((opcode) => [`opcode ${opcode}`, frame(opcode, 'x'), 1002]),
  ['unmasked text', text('x', { masked: false }), 1002],
  ['unmasked empty text', text('', { masked: false }), 1002],
  ['unmasked ping', ping('', { masked: false }), 1002],
  ['unmasked close', Buffer.from([0x88, 0x02, 0x03, 0xe8]), 1002],
  ['ping in fragments', ping('x', { fin: false }), 1002],
  ['pong in fragments', frame(pong, 'x', { fin: false }), 1002],
  ['close in fragments', frame(OPCODE.close, '', { fin: false }), 1002],
  ['ping of 126 bytes', ping('x'.repeat(126)), 1002],
  ['pong of 126 bytes', frame(pong, 'x'.repeat(126)), 1002],
  ['close of 126 bytes', close(1000, 'x'.repeat(124)), 1002],
  ['ping of 5 bytes with a 16-bit length', ping('hello', { form: 16 }), 1002],
  ['125 in 16 bits', text('x'.repeat(125), { form: 16 }), 1002],
  ['0 in 16 bits', text('', { form: 16 }), 1002],
  ['125 in 64 bits', text('x'.repeat(125), { form: 64 }), 1002],
  ['65535 in 64 bits', text('x'.repeat(65535), { form: 64 }), 1002],
  ['length with its top bit set', text('', { form: 64, length: 1n << 63n }), 1002],
  ['length of all ones', text('', { form: 64, length: (1n << 64n) - 1n }), 1002],
  ['largest legal length', text('', { form: 64, length: (1n << 63n) - 1n }), 1009],
  ['one byte too long, nothing of it sent', text('', { length: 65537 }), 1009],
  ['too long in two fragments', [text('x'.repeat(60000), { fin: false }), frame(continuation, 'x'.repeat(5537))], 1009],
  ['continuation of nothing', frame(continuation, 'x'), 1002],
  ['continuation of nothing, unfinished', frame(continuation, 'x', { fin: false }), 1002],
  ['continuation after a whole message', [text('x'), frame(continuation, 'y')], 1002],
  ['text inside fragments', [text('x', { fin: false }), text('y')], 1002],
  ['binary inside fragments', [text('x', { fin: false }), frame(binary, 'y', { fin: false })], 1002],
  ['text after the second fragment',
    [text('x', { fin: false }), frame(continuation, '', { fin: false }), text('')], 1002],
  ['close of one byte', frame(OPCODE.close, [3]), 1002],
  ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
    .map((code) => [`close code ${code}`, close(code), 1002]),
  ...Object.entries(BAD_UTF8).flatMap(([what, bytes]) => [
    [`text with ${what}`, text(bytes), 1007],
    [`close reason with ${what}`, close(1000, bytes), 1007],
    [`second fragment with ${what}`, [text('good', { fin: false }), frame(continuation, bytes)], 1007],
    [`unfinished fragment with ${what}`, text(bytes, { fin: false }), 1007],
    [`unfinished frame with ${what}`, text(bytes, { length: 1000 }), 1007],
  ]),
  ['text that ends inside a character', text([0xf0, 0x9f, 0x8e]), 1007],
  ['message that ends inside a character', [text([0xf0, 0x9f], { fin: false }), frame(continuation, [0x8e])], 1007],
  ['character broken off by the next fragment',
    [text([0xf0, 0x9f], { fin: false }), frame(continuation, 'x', { fin: false })], 1007],
  ['close reason that ends inside a character', close(1000, [0xf0, 0x9f]), 1007],
];

async function expectClose(client, code, what) {
  const answer = await client.frame();
  assert.equal(answer.opcode, OPCODE.close, what);
  assert.equal(answer.code, code, what);
  assert.ok(answer.payload.length <= 125, what);
  assert.equal((await client.ended()).length, 0, `${what}: the close frame is the last`);
}

serverTest('a broken rule closes with its code, and only the one who broke it', ['--shards', '2'], async (server) => {
  const [watcher, good] = [await connect(server), await connect(server)];
  for (const [what, bytes, code] of BAD_FRAMES) {
    const client = await RawClient.open(server, '/room/elsewhere');
    client.write(Buffer.concat([bytes].flat()));
    await expectClose(client, code, what);
  }
  good.send('still here');
  assert.equal(await watcher.inbox.next(), 'still here');
});

serverTest('the same when bytes come one by one', [], async (server) => {
  const short = BAD_FRAMES.map(([what, bytes, code]) => [what, Buffer.concat([bytes].flat()), code]);
  await Promise.all(short.filter(([, bytes]) => bytes.length < 300).map(async ([what, bytes, code], i) => {
    const client = await RawClient.open(server, `/room/r${i}`);
    await client.writeSlowly(bytes);
    await expectClose(client, code, what);
  }));
});

serverTest('what was whole before the broken frame is delivered', [], async (server) => {
  const watcher = await connect(server);
  const client = await RawClient.open(server);
  client.write(Buffer.concat([text('one'), ping('p'), text('two'), frame(3), text('never')]));
  assert.deepEqual(await watcher.inbox.take(2), ['one', 'two']);
  assert.equal((await client.frame()).opcode, pong);
  await expectClose(client, 1002);
  const last = await RawClient.open(server);
  last.write(text('last'));
  assert.equal(await watcher.inbox.next(), 'last');
});

serverTest('close codes that may be sent come back', [], async (server) => {
  const named = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
  for (const code of [...named, 3000, 3999, 4000, 4999]) {
    const client = await RawClient.open(server);
    client.write(close(code, 'until tomorrow 🎉'));
    await expectClose(client, code, `code ${code}`);
  }
  for (const reason of ['', 'x'.repeat(123)]) {
    const client = await RawClient.open(server);
    client.write(close(1000, reason));
    await expectClose(client, 1000, 'longest reason');
  }
  const client = await RawClient.open(server);
  client.write(close());
  const answer = await client.frame();
  assert.deepEqual([answer.opcode, answer.payload.length], [OPCODE.close, 0], 'no code is answered with none');
  await client.ended();
});

serverTest('after a close frame the server closes TCP first; what stands behind does not count', [], async (server) => {
  const watcher = await connect(server);
  const client = await RawClient.open(server, '/', { allowHalfOpen: true });
  client.write(Buffer.concat([text('before'), close(1000), text('behind')]));
  await expectClose(client, 1000);
  client.end();
  const other = await RawClient.open(server);
  other.write(text('next'));
  assert.deepEqual(await watcher.inbox.take(2), ['before', 'next']);
});

const PATIENT = ['--drain-ms-max', '1m', '--close-ms-max', '1m'];
serverTest('when the server closes first, it waits for the answer and then closes TCP', PATIENT, async (server) => {
  const client = await RawClient.open(server, '/', { allowHalfOpen: true });
  const stopping = server.stop();
  const goodbye = await client.frame();
  assert.deepEqual([goodbye.opcode, goodbye.code], [OPCODE.close, 1001]);
  client.write(Buffer.concat([text('too late'), ping('too late')]));
  client.write(close(1001));
  assert.equal((await client.ended()).length, 0);
  return stopping;
});

serverTest('ten pings at once are answered by ten pongs in order', [], async (server) => {
  const client = await RawClient.open(server);
  const payloads = Array.from({ length: 10 }, (_, i) => `ping ${i} ${'x'.repeat(i * 10)}`);
  client.write(Buffer.concat(payloads.map((payload) => ping(payload))));
  for (const payload of payloads) {
    const answer = await client.frame();
    assert.deepEqual([answer.opcode, answer.fin, answer.payload.toString()], [pong, true, payload]);
  }
  for (const payload of [Buffer.alloc(0), Buffer.alloc(125, 0xff)]) {
    client.write(ping(payload));
    assert.deepEqual((await client.frame()).payload, payload);
  }
});

serverTest('control frames may stand between fragments', [], async (server) => {
  const watcher = await connect(server);
  const client = await RawClient.open(server);
  client.write(Buffer.concat([
    text([0xf0, 0x9f], { fin: false }), ping('one'), frame(continuation, [0x8e], { fin: false }), frame(pong, 'idle'),
    ping('two'), frame(continuation, [0x89]),
  ]));
  for (const payload of ['one', 'two']) assert.equal((await client.frame()).payload.toString(), payload);
  assert.equal(await watcher.inbox.next(), '🎉');
  client.write(Buffer.concat([frame(binary, 'a', { fin: false }), close(1000)]));
  await expectClose(client, 1000);
});

serverTest('pongs that nobody asked for are ignored', [], async (server) => {
  const client = await RawClient.open(server);
  client.write(Buffer.concat([frame(pong), frame(pong, 'unasked'), ping('asked')]));
  const answer = await client.frame();
  assert.equal(answer.payload.toString(), 'asked');
});

serverTest('lengths around the limits of their forms pass both ways', ['--message-bytes-max=70000'], async (server) => {
  const sender = await RawClient.open(server);
  const reader = await RawClient.open(server);
  for (const length of [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 70000]) {
    sender.write(frame(binary, Buffer.alloc(length, length)));
    const got = await reader.frame();
    assert.deepEqual([got.fin, got.opcode, got.payload.length], [true, binary, length]);
    assert.ok(got.payload.equals(Buffer.alloc(length, length)));
  }
});

serverTest('request and frames may be cut at every byte', ['--shards', '2'], async (server) => {
  const watcher = await connect(server);
  const bytes = Buffer.concat([
    handshake(), text('añ🎉'), ping('p'), frame(binary, 'x'.repeat(200)), text('one', { fin: false }),
    frame(continuation, 'two'),
  ]);
  const wanted = ['añ🎉', Buffer.from('x'.repeat(200)), 'onetwo'];
  for (let at = 1; at < bytes.length; at++) {
    const client = await RawClient.connect(server);
    client.write(bytes.subarray(0, at));
    await new Promise(setImmediate);
    client.write(bytes.subarray(at));
    assert.equal((await client.answer()).status, 101);
    assert.equal((await client.frame()).payload.toString(), 'p');
    assert.deepEqual(await watcher.inbox.take(3), wanted, `cut at ${at}`);
    client.destroy();
  }
  const client = await RawClient.connect(server);
  await client.writeSlowly(bytes);
  assert.deepEqual(await watcher.inbox.take(3), wanted, 'byte by byte');
});

serverTest('frames right behind the handshake, in the same segment, count', ['--shards', '4'], async (server) => {
  for (let round = 0; round < 20; round++) {
    const watcher = await connect(server, `/room/r${round}`);
    const client = await RawClient.connect(server);
    const messages = Array.from({ length: 100 }, (_, i) => `message ${i}`);
    const frames = messages.map((message) => text(message));
    client.write(Buffer.concat([handshake(`/room/r${round}`), ...frames, ping('end')]));
    assert.equal((await client.answer()).status, 101);
    assert.equal((await client.frame()).payload.toString(), 'end');
    assert.deepEqual(await watcher.inbox.take(100), messages);
    client.destroy();
  }
});
