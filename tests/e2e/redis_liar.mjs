/* tests/e2e/redis_liar.mjs - stands between nodes and their Redis, and takes from what they say one of the things that
 * keep the promise: with it the judge must find faults, or it is blind.
 *
 *     const liar = await startLiar(redis, 'repeats');    // liar.port
 *
 * LIES says what each takes away. */

import { once } from 'node:events';
import net from 'node:net';
import { atEnd } from './support.mjs';

const NEVER = '9007199254740991';
const IS_PUBLISH = /^S?PUBLISH$/;
const REPLID = /master_replid:[0-9a-f]{40}/g;
const ONE_LIFE = `master_replid:${'0'.repeat(40)}`;
const [KEYS_COUNT, FIRST_KEY] = [2, 3];    /* of the words of EVALSHA; arguments stand behind the keys: */
const [DEADLINE, VERB, LOOK_FROM] = [0, 5, 10];

const publishOf = (words) => {
  if (words[0].toString() !== 'EVALSHA') return null;
  const first = FIRST_KEY + Number(words[KEYS_COUNT]);
  return IS_PUBLISH.test(words[first + VERB]?.toString()) ? first : null;
};

/* command: what a node's command becomes; reply: what Redis's bytes become, of the same length. */
export const LIES = {
  repeats: {    /* no publish is too late, none is known again */
    command(words) {
      const first = publishOf(words);
      if (first === null) return words;
      return words.with(first + DEADLINE, Buffer.from(NEVER)).with(first + LOOK_FROM, Buffer.alloc(0));
    },
  },
  generations: {    /* the server has one life only */
    reply: (bytes) => Buffer.from(bytes.toString('latin1').replace(REPLID, ONE_LIFE), 'latin1'),
  },
};

/* Takes commands from bytes that come in pieces: arrays of strings, and nothing else. */
class CommandReader {
  #bytes = Buffer.alloc(0);

  feed(bytes) { this.#bytes = Buffer.concat([this.#bytes, bytes]); }

  next() {
    let at = 0;
    const number = () => {
      const end = this.#bytes.indexOf('\r\n', at);
      const value = end < 0 ? NaN : Number(this.#bytes.toString('latin1', at + 1, end));
      at = end + 2;
      return value;
    };
    const words = [];
    const count = number();
    while (words.length < count) {
      const length = number();
      if (Number.isNaN(length) || this.#bytes.length < at + length + 2) return null;
      words.push(this.#bytes.subarray(at, at + length));
      at += length + 2;
    }
    if (Number.isNaN(count)) return null;
    this.#bytes = this.#bytes.subarray(at);
    return words;
  }
}

function written(words) {
  const parts = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) parts.push(Buffer.from(`$${word.length}\r\n`), word, Buffer.from('\r\n'));
  return Buffer.concat(parts);
}

export async function startLiar(redis, name) {
  const { command = (words) => words, reply = (bytes) => bytes } = LIES[name];
  const sockets = new Set();
  const server = net.createServer((node) => {
    const upstream = net.connect(redis.port, '127.0.0.1');
    const reader = new CommandReader();
    node.on('data', (bytes) => {
      reader.feed(bytes);
      for (let words; (words = reader.next()) !== null;) upstream.write(written(command(words)));
    });
    upstream.on('data', (bytes) => node.write(reply(bytes)));
    for (const [one, other] of [[node, upstream], [upstream, node]]) {
      sockets.add(one);
      one.setNoDelay(true);
      one.on('error', () => {});    /* 'close' follows */
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  atEnd(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { port: server.address().port };
}
