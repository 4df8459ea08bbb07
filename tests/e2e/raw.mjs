/* tests/e2e/raw.mjs - a TCP client that sends what it is told, byte for byte, and frames made by hand, good or bad.
 *
 * It shares no code with the server and knows nothing of rules: what a test wants to break it can break. */

import { once } from 'node:events';
import net from 'node:net';
import { atEnd, within } from './support.mjs';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';                 /* of RFC 6455 1.3 ... */
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';          /* ... and its answer */
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/* --- bytes -------------------------------------------------------------------------------------------------------- */

/* A frame as a client sends it. `length` is what the header claims, `form` how: 7, 16 or 64 bits; both follow from the
 * payload unless given. */
export function frame(opcode, payload = '', { fin = true, reserved = 0, masked = true, length, form } = {}) {
  const bytes = Buffer.from(payload);
  const claimed = BigInt(length ?? bytes.length);
  const bits = form ?? (claimed < 126n ? 7 : claimed < 65536n ? 16 : 64);
  const head = [(fin ? 0x80 : 0) | reserved << 4 | opcode];
  head.push((masked ? 0x80 : 0) | { 7: Number(claimed & 0x7fn), 16: 126, 64: 127 }[bits]);
  for (let shift = bits - 8; bits > 7 && shift >= 0; shift -= 8) head.push(Number(claimed >> BigInt(shift) & 0xffn));
  if (!masked) return Buffer.concat([Buffer.from(head), bytes]);
  return Buffer.concat([Buffer.from(head), MASK, bytes.map((byte, at) => byte ^ MASK[at % 4])]);
}

export const text = (payload, options) => frame(OPCODE.text, payload, options);
export const ping = (payload, options) => frame(OPCODE.ping, payload, options);

export function close(code, reason = '') {
  if (code === undefined) return frame(OPCODE.close);
  return frame(OPCODE.close, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]));
}

/* A request's head. A header given as null is left out, one given as an array is sent several times. */
export function request(line, headers = {}) {
  const lines = [line];
  for (const [name, value] of Object.entries({ Host: '127.0.0.1', ...headers })) {
    for (const one of value === null ? [] : [value].flat()) lines.push(`${name}: ${one}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

export const HANDSHAKE = {
  'Upgrade': 'websocket', 'Connection': 'Upgrade', 'Sec-WebSocket-Key': KEY, 'Sec-WebSocket-Version': '13',
};

export function handshake(path = '/', headers = {}) {
  return Buffer.from(request(`GET ${path} HTTP/1.1`, { ...HANDSHAKE, ...headers }));
}

/* Ends a socket by RST. One whose own end is on its way, perhaps because the server's has come, libuv does not reset;
 * Node then takes it for closed, and at the end of the process waits for it for ever, at full speed. */
export function resetSocket(socket) {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

/* --- the client --------------------------------------------------------------------------------------------------- */

export class RawClient {
  #received = Buffer.alloc(0);
  #ended = false;
  #error = null;
  #wake = () => {};

  static async connect(server, { host = '127.0.0.1', localAddress, allowHalfOpen = false } = {}) {
    const socket = net.connect({ host, localAddress, port: server.port, allowHalfOpen, noDelay: true });
    atEnd(() => socket.destroy());
    await within(once(socket, 'connect'), 'a TCP connection');
    return new RawClient(socket);
  }

  /* With the handshake done. */
  static async open(server, path = '/', options = {}) {
    const client = await RawClient.connect(server, options);
    client.write(handshake(path));
    const answer = await client.answer();
    if (answer.status !== 101) throw new Error(`no handshake: ${answer.status} ${answer.body}`);
    return client;
  }

  constructor(socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    socket.on('error', (error) => {
      this.#error = error;
      this.#wake();
    });
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  /* Data that cannot be sent any more, because the server has closed, is no error of the test. */
  write(bytes) {
    if (!this.socket.destroyed && this.socket.writable) this.socket.write(bytes);
  }

  /* Each byte in a segment of its own. */
  async writeSlowly(bytes) {
    for (const byte of Buffer.from(bytes)) {
      this.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
  }

  end() { this.socket.end(); }
  reset() { resetSocket(this.socket); }
  destroy() { this.socket.destroy(); }

  /* Waits until `find` sees what it wants in the received bytes: it returns how many bytes that takes, or 0. */
  async #take(find, what) {
    const search = async () => {
      for (;;) {
        const count = find(this.#received);
        if (count > 0) {
          const bytes = this.#received.subarray(0, count);
          this.#received = this.#received.subarray(count);
          return bytes;
        }
        if (this.#ended || this.#error) {
          throw new Error(`${this.#error?.message ?? 'the server closed'} instead of ${what}`);
        }
        await new Promise((resolve) => { this.#wake = resolve; });
      }
    };
    return within(search(), what);
  }

  /* The next HTTP answer: { status, headers, body }, header names in lower case. `head`: it is the answer to HEAD. */
  async answer({ head = false } = {}) {
    const bytes = await this.#take((received) => {
      const at = received.indexOf('\r\n\r\n');
      return at < 0 ? 0 : at + 4;
    }, 'the head of an answer');
    const [line, ...lines] = bytes.toString('latin1').trimEnd().split('\r\n');
    if (!line.startsWith('HTTP/1.1 ')) throw new Error(`no answer begins like this: ${JSON.stringify(line)}`);
    const headers = Object.fromEntries(lines.map((one) => {
      const at = one.indexOf(':');
      return [one.slice(0, at).toLowerCase(), one.slice(at + 1).trim()];
    }));
    const length = head ? 0 : Number(headers['content-length'] ?? 0);
    const body = length > 0
      ? await this.#take((received) => (received.length >= length ? length : 0), 'the body of an answer')
      : Buffer.alloc(0);
    return { line, status: Number(line.split(' ')[1]), headers, body: body.toString() };
  }

  /* The next frame: { fin, opcode, payload, code, reason }, the last two of a close frame. */
  async frame() {
    let head = 0;
    const bytes = await this.#take((received) => {
      if (received.length < 2) return 0;
      if ((received[1] & 0x80) !== 0) throw new Error('the server masked a frame');
      if ((received[0] & 0x70) !== 0) throw new Error('the server set a reserved bit');
      let length = received[1];
      head = { 126: 4, 127: 10 }[length] ?? 2;
      if (received.length < head) return 0;
      if (length === 126) length = received.readUInt16BE(2);
      else if (length === 127) length = Number(received.readBigUInt64BE(2));
      return received.length >= head + length ? head + length : 0;
    }, 'a frame');
    const payload = bytes.subarray(head);
    const opcode = bytes[0] & 0x0f;
    const result = { fin: (bytes[0] & 0x80) !== 0, opcode, payload };
    if (opcode === OPCODE.close && payload.length >= 2) {
      Object.assign(result, { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() });
    }
    return result;
  }

  /* Resolves once the server has closed its side, to what came before that and was not taken. */
  async ended() {
    const wait = async () => {
      while (!this.#ended && !this.#error) await new Promise((resolve) => { this.#wake = resolve; });
      if (this.#error) throw this.#error;
      return this.#received;
    };
    return within(wait(), 'the server to close');
  }

  /* Resolves once the server has closed or reset: what happens to one whose bytes it had not read, or who goes on. */
  async gone() {
    await this.ended().catch((error) => {
      if (this.#error === null) throw error;
    });
  }
}
