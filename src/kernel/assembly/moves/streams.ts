// The words of values that come as streams: which chunks live without a head. Called by the writer
// of a stream, by eviction, the flusher and reclaim. Invariant: an id is never used again, since
// its sequence is taken for it alone; so of two writes with one set of words, neither is taken for
// the other.
import * as at from "../../layout";
import * as st from "../../layouts/stream-layout";
import { block, selfId } from "../geometry";

// @ts-ignore: decorator
@inline
function ownerAt(stream: u32): usize {
  return <usize>st.streamOwners + (<usize>stream << 2);
}

/** Does the id name a stream's write, and not that of a thread? */
// @ts-ignore: decorator
@inline
export function isOfStream(id: u64): bool {
  return (id & 0xff) >= <u64>st.streamIdsFrom;
}

/** The number of the words of a stream's id. Bytes from disk may be noise, so it is cut to one that
 *  there can be. */
// @ts-ignore: decorator
@inline
function streamOf(id: u64): u32 {
  return <u32>(id & 0xff) & (st.streamsMax - 1);
}

/** Where the id stands while the stream is written. */
// @ts-ignore: decorator
@inline
export function streamWord(id: u64): usize {
  return <usize>st.streamIds + (<usize>streamOf(id) << 3);
}

/** Begins the write of a value that comes as a stream; its id is in the value register. 0: as many
 *  are being written as there may be. † Before the id: a recovery frees the owner's word. */
export function beginStream(): u32 {
  for (let stream: u32 = 0; stream < <u32>st.streamsMax; stream++) {
    if (atomic.cmpxchg<u32>(ownerAt(stream), 0, selfId) != 0) continue;
    const sequence = atomic.add<u64>(at.controlSequence, 1) + 1;
    const id = (sequence << 8) | <u64>(<u32>st.streamIdsFrom + stream);
    atomic.store<u64>(streamWord(id), id);
    store<u64>(block + at.threadValue, id, at.valueId);
    return 1;
  }
  return 0;
}

/** From here on the chunks of the stream in the value register are flushed as they come, and leave
 *  memory once they are on disk. */
export function spillStream(): void {
  const id = load<u64>(block + at.threadValue, at.valueId);
  atomic.store<u32>(ownerAt(streamOf(id)), selfId | st.streamSpills);
}

/** Is the stream in the value register still being written, and not abandoned? */
export function isStreamIntact(): u32 {
  const id = load<u64>(block + at.threadValue, at.valueId);
  return atomic.load<u64>(streamWord(id)) == id ? 1 : 0;
}

/** Ends the write in the value register: its head is published, or its chunks are dropped. 0: it
 *  was abandoned, and chunks are gone. */
export function endStream(): u32 {
  const id = load<u64>(block + at.threadValue, at.valueId);
  const isIntact = atomic.cmpxchg<u64>(streamWord(id), id, 0) == id;
  atomic.store<u32>(ownerAt(streamOf(id)), 0);
  return isIntact ? 1 : 0;
}

/** Is the value with this id a stream that is being written and spills? */
export function isSpilling(id: u64): bool {
  if (!isOfStream(id) || atomic.load<u64>(streamWord(id)) != id) return false;
  return (atomic.load<u32>(ownerAt(streamOf(id))) & st.streamSpills) != 0;
}

/** 1 if any stream spills. */
export function spillingStreams(): u32 {
  for (let stream: u32 = 0; stream < <u32>st.streamsMax; stream++) {
    if ((atomic.load<u32>(ownerAt(stream)) & st.streamSpills) != 0) return 1;
  }
  return 0;
}

/** Ends the writes of a dead thread: their chunks are dead from here on. The id first: while the
 *  owner's word is taken nobody else begins a write there. */
export function endStreamsOf(thread: u32): void {
  for (let stream: u32 = 0; stream < <u32>st.streamsMax; stream++) {
    const owner = atomic.load<u32>(ownerAt(stream));
    if ((owner & st.streamOwnerMask) != thread + 1) continue;
    atomic.store<u64>(<usize>st.streamIds + (<usize>stream << 3), 0);
    atomic.store<u32>(ownerAt(stream), 0);
  }
}
