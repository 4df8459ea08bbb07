/* tests/e2e/wire.mjs - windows of the chat whose WebSocket can be held, changed and broken from a test. */

/* In the page: wire.holds, a piece of text (frames that have it wait in wire.held for let()); wire.change(text), what
 * is heard instead; wire.isMute, nothing goes out; wire.heard, all texts; wire.cut(), the connection breaks. */
function installWire() {
  const Real = WebSocket;
  const wire = globalThis.wire = {
    holds: null, held: [], heard: [], isMute: false, socket: null, change: (text) => text,
    let() {
      wire.holds = null;
      for (const hear of wire.held.splice(0)) hear();
    },
    cut() {
      wire.held = [];
      wire.socket.close();
    },
  };
  globalThis.WebSocket = class extends Real {
    constructor(url) {
      super(url);
      wire.socket = this;
    }
    send(text) { if (!wire.isMute) super.send(text); }
    set onmessage(listener) {
      super.onmessage = listener && (({ data }) => {
        const hear = () => {
          listener({ data: wire.change(data) });
          wire.heard.push(data);
        };
        if (wire.holds !== null && data.includes(wire.holds)) wire.held.push(hear);
        else hear();
      });
    }
  };
}

/* What openChat() takes for a browser: its windows have the wire. */
export const wired = (browser) => ({
  async newContext(options) {
    const context = await browser().newContext(options);
    await context.addInitScript(installWire);
    return context;
  },
});
