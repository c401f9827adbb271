// Carries the browsers' TCP from localhost, which they take for a secure place, to the server's namespace.
// Media doesn't pass here: it goes straight to the address the server announces.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Forwarder {
  /** @type {Set<import('node:net').Socket>} */
  #open = new Set();
  #listener;
  #port;

  /** @param {string} address  @param {number} port */
  constructor(address, port) {
    this.#port = port;
    this.#listener = createServer((here) => {
      const there = connect(port, address);
      // An end or a failure on one side is one on the other: the browser has to see a killed server as it is.
      for (const [socket, other] of /** @type {const} */ ([[here, there], [there, here]])) {
        this.#open.add(socket);
        socket.setNoDelay(true);
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          this.#open.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  async listen() {
    this.#listener.listen(this.#port, '127.0.0.1');
    await once(this.#listener, 'listening');
  }

  async end() {
    for (const socket of this.#open) socket.destroy();
    if (!this.#listener.listening) return;
    this.#listener.close();
    await once(this.#listener, 'close');
  }
}
