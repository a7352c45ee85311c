// XXH64 over shared memory, equal bit for bit to xxhash-wasm with the same seed (a test compares
// them). Follows the XXH64 specification by Yann Collet (xxHash, doc/xxhash_spec.md).

const prime1: u64 = 0x9e3779b185ebca87;
const prime2: u64 = 0xc2b2ae3d27d4eb4f;
const prime3: u64 = 0x165667b19e3779f9;
const prime4: u64 = 0x85ebca77c2b2ae63;
const prime5: u64 = 0x27d4eb2f165667c5;

// @ts-ignore: decorator
@inline
function round(accumulator: u64, input: u64): u64 {
  return rotl<u64>(accumulator + input * prime2, 31) * prime1;
}

// @ts-ignore: decorator
@inline
function mergeRound(hash: u64, accumulator: u64): u64 {
  return (hash ^ round(0, accumulator)) * prime1 + prime4;
}

/** Four lanes over stripes of 32 bytes. The input must have at least 32 bytes; `fourth` counts for
 *  its fourth eight. */
function stripes(at: usize, stop: usize, seed: u64, fourth: u64): u64 {
  let v1 = seed + prime1 + prime2;
  let v2 = seed + prime2;
  let v3 = seed;
  let v4 = seed - prime1;
  for (;;) {
    v1 = round(v1, load<u64>(at));
    v2 = round(v2, load<u64>(at, 8));
    v3 = round(v3, load<u64>(at, 16));
    v4 = round(v4, fourth);
    at += 32;
    if (at > stop) break;
    fourth = load<u64>(at, 24);
  }
  let hash = rotl<u64>(v1, 1) + rotl<u64>(v2, 7) + rotl<u64>(v3, 12) + rotl<u64>(v4, 18);
  hash = mergeRound(hash, v1);
  hash = mergeRound(hash, v2);
  hash = mergeRound(hash, v3);
  return mergeRound(hash, v4);
}

// @ts-ignore: decorator
@inline
export function xxh64(start: usize, length: u32, seed: u64): u64 {
  let at = start;
  const end = start + length;
  let hash: u64;
  if (length >= 32) {
    hash = stripes(at, end - 32, seed, load<u64>(at, 24));
    at += length & ~31;
  } else {
    hash = seed + prime5;
  }
  return ended(hash + length, at, end);
}

/** As xxh64 of at least 32 bytes, of which the last 8 of the first 32 count as zeros. */
export function xxh64WithoutFourth(start: usize, length: u32, seed: u64): u64 {
  const end = start + length;
  const hash = stripes(start, end - 32, seed, 0);
  return ended(hash + length, start + (length & ~31), end);
}

/** What follows the stripes. */
// @ts-ignore: decorator
@inline
function ended(hash: u64, at: usize, end: usize): u64 {
  while (at + 8 <= end) {
    // Two loads of four bytes. The caller has just stored a short key four bytes at a time, and an
    // eight-byte load would wait until both stores have left the processor's store buffer.
    const input = <u64>load<u32>(at) | ((<u64>load<u32>(at, 4)) << 32);
    hash = rotl<u64>(hash ^ round(0, input), 27) * prime1 + prime4;
    at += 8;
  }
  if (at + 4 <= end) {
    hash = rotl<u64>(hash ^ (<u64>load<u32>(at) * prime1), 23) * prime2 + prime3;
    at += 4;
  }
  while (at < end) {
    hash = rotl<u64>(hash ^ (<u64>load<u8>(at) * prime5), 11) * prime1;
    at += 1;
  }
  hash = (hash ^ (hash >> 33)) * prime2;
  hash = (hash ^ (hash >> 29)) * prime3;
  return hash ^ (hash >> 32);
}
