/* tests/e2e/tls_bad_input.test.mjs - what no good client of TLS sends: each connection ends with a counter, those who
 * are connected notice nothing, newcomers get in, and nothing is left behind. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { handshake, RawClient } from './raw.mjs';
import {
  atEnd, connectMany, counters, leave, randomFrom, SEED, until, untilCounters, untilNobody, within,
} from './support.mjs';
import { GET_UP, run, sClientAsks, tlsTest } from './tls.mjs';

const VERSIONS = ['TLSv1.2', 'TLSv1.3'];
const IMPATIENT = ['--handshake-ms-max', '1s', '--close-ms-max', '500ms'];
const FLIPS = 100;
const ALERT = 21, HANDSHAKE = 22, DATA = 23, CHANGE_CIPHER = 20;

/* A test with two who talk over wss before and after; the rest as tlsTest. */
function badTest(title, options, body) {
  tlsTest(title, { args: IMPATIENT, ...options }, async (server, secure) => {
    const [anna, ben] = await connectMany(secure, 2, '/room/tea');
    await body(server, secure);
    anna.send('still there?');
    assert.equal(await ben.inbox.next(), 'still there?');
    const { output } = await sClientAsks(secure);
    assert.match(output, /HTTP\/1\.1 200 OK/);
    await leave(anna, ben);
    await untilNobody(server);
  });
}

/* --- a meddler ---------------------------------------------------------------------------------------------------- */

/* The way between a TLS client and the server: `pass` gets what the client sends, and at which of its bytes that
 * begins, and returns what goes on. */
class Way extends Duplex {
  constructor(socket, pass) {
    super();
    this.socket = socket;
    this.pass = pass;
    this.sent = 0;
    socket.on('data', (bytes) => this.push(bytes));
    for (const event of ['end', 'close', 'error']) socket.on(event, () => this.push(null));
  }

  _read() {}

  _write(bytes, _, done) {
    const onwards = this.pass(bytes, this.sent, this.socket);
    this.sent += bytes.length;
    if (onwards?.length > 0 && this.socket.writable) this.socket.write(onwards);
    done();
  }
}

/* Connects over a way with a meddler. { socket, client, text(): what was answered, gone: the server has closed }. */
async function meddle(secure, maxVersion, pass, request = GET_UP) {
  const socket = net.connect({ host: '127.0.0.1', port: secure.port, noDelay: true });
  atEnd(() => socket.destroy());
  await within(once(socket, 'connect'), 'a TCP connection');
  const gone = new Promise((resolve) => { socket.once('close', resolve); });
  socket.on('error', () => {});
  const chunks = [];
  const client = tls.connect({ socket: new Way(socket, pass), servername: 'localhost', ca: secure.ca, maxVersion });
  client.on('data', (bytes) => chunks.push(bytes));
  client.on('error', () => {});
  if (request !== '') client.write(request);
  return { socket, client, text: () => Buffer.concat(chunks).toString(), gone };
}

/* What a client sends first. */
async function helloOf(maxVersion) {
  const silent = new Duplex({ read() {}, write(bytes, _, done) { this.emit('hello', bytes); done(); } });
  const hello = once(silent, 'hello');
  const client = tls.connect({ socket: silent, servername: 'localhost', maxVersion });
  client.on('error', () => {});
  const [bytes] = await hello;
  client.destroy();
  return bytes;
}

const record = (type, body, { length = body.length, version = 0x0303 } = {}) => Buffer.concat([
  Buffer.from([type, version >> 8, version & 0xff, length >> 8, length & 0xff]), Buffer.from(body),
]);

/* --- cut off ------------------------------------------------------------------------------------------------------ */

/* Byte by byte around the first records' ends, in strides elsewhere. */
function cuts() {
  const places = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  for (let at = 13; at < 760; at += 11) places.push(at);
  return places;
}

const END = {
  FIN: (socket) => socket.end(),
  RST: (socket) => socket.resetAndDestroy(),
  silence: () => {},
};

for (const maxVersion of VERSIONS) {
  for (const [how, end] of Object.entries(END)) {
    badTest(`${how} at every stage of a handshake: ${maxVersion}`, {}, async (server, secure) => {
      for (let from = 0, all = cuts(); from < all.length; from += 20) {
        await Promise.all(all.slice(from, from + 20).map(async (cut) => {
          let isCut = false;
          const { gone, client } = await meddle(secure, maxVersion, (bytes, at, socket) => {
            if (isCut) return null;
            if (at + bytes.length < cut) return bytes;
            isCut = true;
            const rest = bytes.subarray(0, cut - at);
            if (rest.length > 0) socket.write(rest, () => end(socket));
            else end(socket);
            return null;
          });
          await within(gone, `the end of one cut at ${cut}`);
          client.destroy();
        }));
      }
      if (how !== 'silence') return;
      await untilCounters(server, (now) => now.closed_handshake_timeout >= 20, 'them to be counted as out of time');
    });
  }
}

badTest('many who say hello and go away', {}, async (server, secure) => {
  for (const maxVersion of VERSIONS) {
    const hello = await helloOf(maxVersion);
    for (let round = 0; round < 10; round++) {
      const clients = await Promise.all(Array.from({ length: 50 }, () => RawClient.connect(secure)));
      clients.forEach((client, i) => {
        client.write(hello);
        if (i % 3 === 0) client.reset();
        else if (i % 3 === 1) client.end();
        else client.socket.destroySoon();
      });
      await Promise.all(clients.map((client) => client.gone()));
    }
  }
  const now = await counters(server);
  assert.equal(now.connections_accepted, 1002);
  assert.equal(now.tls_handshakes, 2);
});

badTest('half handshakes that are left open end in time', {}, async (server, secure) => {
  const hello = await helloOf('TLSv1.3');
  const clients = [];
  for (const bytes of [hello.subarray(0, 1), hello.subarray(0, 5), hello.subarray(0, 100), hello]) {
    for (let i = 0; i < 25; i++) {
      const client = await RawClient.connect(secure);
      client.write(bytes);
      clients.push(client);
    }
  }
  for (const client of clients) await client.gone();
  const end = await untilCounters(server, (now) => now.connections_open === 2, 'them to be gone');
  assert.deepEqual([end.closed_handshake_timeout, end.tls_handshakes], [100, 2]);
});

badTest('a ClientHello in as many pieces as it has bytes, and in as many records, is one', {},
  async (server, secure) => {
    for (const maxVersion of VERSIONS) {
      for (const pieces of [
        (hello) => [...hello].map((byte) => Buffer.from([byte])),
        (hello) => {
          const body = hello.subarray(5), some = [];
          for (let at = 0; at < body.length; at += 50) some.push(record(HANDSHAKE, body.subarray(at, at + 50)));
          return some;
        },
      ]) {
        const { gone, text } = await meddle(secure, maxVersion, (bytes, at, socket) => {
          if (at > 0) return bytes;
          for (const piece of pieces(bytes)) socket.write(piece);
          return null;
        });
        await within(gone, 'an end');
        if (text() !== '') assert.match(text(), /200 OK/);    /* mbedTLS need not join records; it must not fall */
      }
    }
  });

/* --- changed ------------------------------------------------------------------------------------------------------ */

for (const maxVersion of VERSIONS) {
  badTest(`a bit that flips on the way ends the session: ${maxVersion}`, {}, async (server, secure) => {
    const random = randomFrom(SEED);
    const before = await counters(server);
    let answered = 0;
    for (let round = 0; round < FLIPS / 20; round++) {
      await Promise.all(Array.from({ length: 20 }, async () => {
        const place = random(700), bit = 1 << random(8);
        const { gone, client, text } = await meddle(secure, maxVersion, (bytes, at) => {
          const copy = Buffer.from(bytes);
          if (place >= at && place < at + bytes.length) copy[place - at] ^= bit;
          return copy;
        });
        await within(gone, `the end of one with bit ${bit} of byte ${place} flipped, SEED=${SEED}`);
        answered += text() !== '' ? 1 : 0;
        client.destroy();
      }));
    }
    const isCounted = (now) => now.closed_tls_broken + now.closed_tls_alert + now.closed_not_tls
      + now.closed_handshake_timeout + now.closed_peer_gone + now.closed_peer_reset + answered
      - before.closed_tls_broken >= FLIPS;
    const end = await untilCounters(server, isCounted, `all ${FLIPS} to be counted, SEED=${SEED}`);
    assert.ok(end.tls_failed > 0 && end.closed_tls_broken > 0);
  });

  badTest(`broken records in an open session end it: ${maxVersion}`, {}, async (server, secure) => {
    const broken = [
      record(DATA, randomBytes(100)), record(DATA, randomBytes(16384 + 16)), record(DATA, ''), record(DATA, 'x'),
      record(DATA, randomBytes(18432 + 1)), record(DATA, 'x', { length: 0xffff }), record(HANDSHAKE, randomBytes(50)),
      record(HANDSHAKE, ''), record(ALERT, randomBytes(40)), record(ALERT, [2, 40]), record(ALERT, [1, 0]),
      record(99, 'what?'), record(0, ''), record(DATA, randomBytes(50), { version: 0x0505 }), Buffer.alloc(50),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    ];
    const before = await counters(server);
    for (const bytes of broken) {
      const { socket, client, gone } = await meddle(secure, maxVersion, (given) => given, '');
      await within(once(client, 'secureConnect'), 'a TLS handshake');
      socket.write(bytes);    /* below TLS */
      await within(gone, `the end of ${bytes.subarray(0, 8).toString('hex')}`);
      client.destroy();
    }
    await untilCounters(server, (now) => now.closed_tls_broken + now.closed_tls_alert + now.closed_handshake_timeout
      - before.closed_tls_broken >= broken.length, 'all to be counted');
  });
}

badTest('records that are begun and never ended end in time',
  { args: [...IMPATIENT, '--ping-ms', '300ms', '--pong-ms-max', '1s'] }, async (server, secure) => {
    const half = record(DATA, randomBytes(16_000)).subarray(0, 10_000), all = [];
    for (const maxVersion of VERSIONS) {
      for (const request of ['', handshake('/room/tea')]) {
        for (let i = 0; i < 10; i += 1) {
          const one = await meddle(secure, maxVersion, (given) => given, request);
          await (request ? until(() => one.text().includes(' 101 '), 'an upgrade')
            : within(once(one.client, 'secureConnect'), 'a TLS handshake'));
          one.socket.write(half);    /* below TLS */
          all.push(one);
        }
      }
    }
    for (const { gone, client } of all) {
      await within(gone, 'its end');
      client.destroy();
    }
    const end = await untilCounters(server, (now) => now.connections_open === 2, 'them to be gone');
    assert.deepEqual([end.closed_handshake_timeout, end.closed_silent], [20, 20]);
  });

/* --- noise -------------------------------------------------------------------------------------------------------- */

badTest('noise that begins like TLS ends the connection', {}, async (server, secure) => {
  const random = randomFrom(SEED), hello = await helloOf('TLSv1.2');
  const noises = Array.from({ length: 200 }, (_, i) => {
    const body = randomBytes(random(i % 10 === 0 ? 16_384 : 600));
    if (i % 4 === 0) return Buffer.concat([Buffer.from([HANDSHAKE]), body]);
    if (i % 4 === 1) return record(HANDSHAKE, body);
    const head = Buffer.from([1, 0, body.length >> 8, body.length]);
    if (i % 4 === 2) return record(HANDSHAKE, Buffer.concat([head, body]));
    return Buffer.concat([hello.subarray(0, 5 + random(hello.length - 5)), body]);
  });
  for (let from = 0; from < noises.length; from += 50) {
    await Promise.all(noises.slice(from, from + 50).map(async (noise) => {
      const client = await RawClient.connect(secure);
      client.write(noise);
      await client.gone();
    }));
  }
  const isCounted = (now) => now.closed_tls_broken + now.closed_handshake_timeout === noises.length;
  assert.equal((await untilCounters(server, isCounted, `all to be counted, SEED=${SEED}`)).tls_handshakes, 2);
});

badTest('a record that claims too much is refused at its header', {}, async (server, secure) => {
  for (const length of [18_433, 20_000, 0x8000, 0xffff]) {
    const client = await RawClient.connect(secure);
    client.write(record(HANDSHAKE, Buffer.alloc(16), { length }));
    const answer = await client.ended();
    assert.deepEqual([...answer.subarray(0, 1), ...answer.subarray(5)], [ALERT, 2, 22], 'record_overflow');
  }
  await untilCounters(server, (now) => now.closed_tls_broken === 4, 'all four to be counted');
});

const FLOODS = [
  ['empty handshake records', record(HANDSHAKE, '')],
  ['empty data records', record(DATA, '')],
  ['warnings', record(ALERT, [1, 90])],
  ['changes of cipher', record(CHANGE_CIPHER, [1])],
];

for (const [what, bytes] of FLOODS) {
  badTest(`a flood of ${what} before and after a ClientHello keeps nobody waiting`, {}, async (server, secure) => {
    const flood = Buffer.concat(Array(20_000).fill(bytes));
    for (const maxVersion of VERSIONS) {
      const hello = await helloOf(maxVersion);
      /* What is no handshake record at first is no TLS. */
      for (const whole of [[hello, flood], [hello.subarray(0, 60), flood], [record(HANDSHAKE, ''), flood, hello]]) {
        const client = await RawClient.connect(secure);
        for (const part of whole) client.write(part);
        await client.gone();
      }
    }
  });
}

/* --- on the wrong address ----------------------------------------------------------------------------------------- */

badTest('plain HTTP on a TLS address is told so, readably', {}, async (server, secure) => {
  for (const first of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'G', 'SSH-2.0-x\r\n', '\0', '\x80\x2e\x01\0\x02']) {
    const client = await RawClient.connect(secure);
    client.write(Buffer.from(first, 'latin1'));
    const { status, headers, body } = await client.answer();
    assert.deepEqual([status, headers.connection], [400, 'close']);
    assert.match(body, /^This address speaks TLS: connect with https:\/\/ or wss:\/\/\n$/);
    await client.gone();
  }
  const { code, output } = await run('curl', '-sS', '-i', `http://127.0.0.1:${secure.port}/up`);
  assert.match(output, /HTTP\/1\.1 400 [^]*This address speaks TLS/);
  assert.equal(code, 0);
  const end = await untilCounters(server, (now) => now.closed_not_tls === 6, 'all six to be counted');
  assert.equal(end.closed_tls_broken, 0);
});

badTest('TLS on a plain address is told so, in TLS', {}, async (server, secure) => {
  for (const maxVersion of VERSIONS) {
    const hello = await helloOf(maxVersion);
    for (const bytes of [hello, hello.subarray(0, 1), Buffer.concat([hello, randomBytes(30_000)])]) {
      const client = await RawClient.connect(server);
      client.write(bytes);
      assert.equal((await client.ended().catch(() => Buffer.alloc(0))).subarray(0, 1)[0] ?? ALERT, ALERT);
    }
  }
  for (const version of ['-tls1_2', '-tls1_3']) {
    const { code, output } = await sClientAsks(server, version);
    assert.match(output, /alert handshake failure/);
    assert.notEqual(code, 0);
  }
  const { code, output } = await run('curl', '-sS', `https://127.0.0.1:${server.port}/up`);
  assert.match(output, /alert handshake failure/);
  assert.equal(code, 35);
  await untilCounters(server, (now) => now.closed_tls_here === 9, 'all nine to be counted');
  assert.match((await run('curl', '-sS', `${server.url}/up`)).output, /^OK/);
});
