// Writes and reads the fields of a message between processes. Little-endian. A reader trusts
// nothing: what does not fit throws ProtocolFault, and the connection ends.

/** The peer sent what no peer of this version sends. */
export class ProtocolFault extends Error {}

const firstBytes = 256;

export class ByteWriter {
  #buffer = Buffer.allocUnsafe(firstBytes);
  #size = 0;

  #room(bytes: number): number {
    const at = this.#size;
    this.#size += bytes;
    if (this.#size > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#size));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    return at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#buffer.writeUInt8(value, at);
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#buffer.writeUInt16LE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#buffer.writeUInt32LE(value, at);
    return this;
  }

  f64(value: number): this {
    const at = this.#room(8);
    this.#buffer.writeDoubleLE(value, at);
    return this;
  }

  /** Bytes behind their length. */
  bytes(value: Uint8Array): this {
    this.u32(value.length);
    return this.raw(value);
  }

  raw(value: Uint8Array): this {
    const at = this.#room(value.length);
    this.#buffer.set(value, at);
    return this;
  }

  /** UTF-8 behind its length. */
  text(value: string): this {
    const bytes = Buffer.from(value, "utf8");
    this.u16(bytes.length);
    return this.raw(bytes);
  }

  /** What was written. The writer is not used after it. */
  end(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }
}

export class ByteReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#buffer.length - this.#at;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.left)
      throw new ProtocolFault(`a message ends ${bytes - this.left} bytes early`);
    this.#at += bytes;
    return at;
  }

  u8(): number {
    const at = this.#take(1);
    return this.#buffer.readUInt8(at);
  }

  u16(): number {
    const at = this.#take(2);
    return this.#buffer.readUInt16LE(at);
  }

  u32(): number {
    const at = this.#take(4);
    return this.#buffer.readUInt32LE(at);
  }

  f64(): number {
    const at = this.#take(8);
    return this.#buffer.readDoubleLE(at);
  }

  /** A view of the message's own bytes. */
  bytes(): Buffer {
    return this.raw(this.u32());
  }

  raw(length: number): Buffer {
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  text(): string {
    return this.raw(this.u16()).toString("utf8");
  }

  /** A list of up to `most` elements behind their number. */
  list<T>(most: number, one: () => T): T[] {
    const count = this.u32();
    if (count > most) throw new ProtocolFault(`a list has ${count} elements; at most ${most}`);
    return Array.from({ length: count }, one);
  }

  rest(): Buffer {
    return this.raw(this.left);
  }

  /** Call it when all fields were read. */
  end(): void {
    if (this.left > 0) throw new ProtocolFault(`a message has ${this.left} bytes too many`);
  }
}
