// Remembers which keys this thread has asked for lately and not found near. Called by the near
// cache's admission. Invariant: it only guides what is kept, so a key that is forgotten, or taken
// for another with the same bits, costs one decode or one useless entry.
//
// A word holds four keys of its hash, one byte each, the newest lowest; a fifth pushes out the
// oldest. So a key is remembered for about as many misses of others as there are bytes. They are
// few, since each miss looks here: the processor's caches hold them.

const words = 8192;
const everyByte = 0x01010101;
const highBits = 0x80808080;

export class RecentMisses {
  // Allocated with the first key: attaching a thread costs nothing until then.
  #words = new Int32Array(0);

  /** Whether the key with this low half of a hash is remembered; remembers it. */
  noteAgain(hash: number): boolean {
    if (this.#words.length === 0) this.#words = new Int32Array(words);
    const at = hash & (words - 1);
    const word = this.#words[at] as number;
    const byte = hash >>> 24 || 1; // 0 is an empty one
    // An equal byte becomes 0; then the classic test for a zero byte, which may also find the byte
    // above one: a wrong answer more.
    const differs = word ^ Math.imul(byte, everyByte);
    if (((differs - everyByte) & ~differs & highBits) !== 0) return true;
    this.#words[at] = (word << 8) | byte;
    return false;
  }
}
