// Takes every order of events of the model of a shared tier, and says what is wrong in a state, or
// in the end, when all that was under way has ended.
import {
  begin,
  copyOf,
  type Event,
  events,
  Protocol,
  type State,
  type Tier,
} from "./tier-protocol.js";

/** What is wrong in a state. */
export function faultOf(state: State): string | undefined {
  for (const [index, host] of state.hosts.entries()) {
    const { memory } = host;
    if (memory === null) continue;
    if (memory < host.own) return `host ${index} answers ${memory} after its own ${host.own}`;
    if (memory < host.seen) return `host ${index} answers ${memory} after ${host.seen}`;
    if (memory < host.floor) return `host ${index} answers ${memory}, cut off from ${host.floor}`;
    host.seen = memory;
    const at = state.tier.log.findIndex(({ id }) => id === host.position);
    const hasHeardAll = at === state.tier.log.length - 1 && host.epoch === state.tier.epoch;
    const made = Math.max(0, ...state.tier.log.map(({ told }) => told));
    if (hasHeardAll && memory < made) return `host ${index} has ${memory}, and heard of ${made}`;
  }
  return undefined;
}

/** Orders in which what is under way ends. */
const endings = [
  ["heal", "make late", "make", "send", "make", "hear", "take", "fill"],
  ["fill", "heal", "send", "make", "make late", "take", "hear"],
  ["take", "heal", "hear", "fill", "send", "make", "make late"],
].map((names) =>
  names.flatMap((name): Event[] => [
    [name, 0],
    [name, 1],
  ]),
);

/** Ends all that is under way; what is left must be the newest, or nothing. */
export function endFaultOf(protocol: Protocol, from: State): string | undefined {
  for (const ending of endings) {
    const state = copyOf(from);
    for (let isOver = false; !isOver;) {
      isOver = true;
      for (const event of ending) {
        while (protocol.step(state, event)) {
          isOver = false;
          const fault = faultOf(state);
          if (fault !== undefined) return `${fault}, in the end`;
        }
      }
    }
    const left = [state.tier.value, ...state.hosts.map(({ memory }) => memory)];
    const old = left.find((value) => value !== null && value !== state.source);
    if (old !== undefined) return `${old} is left in the end, and the newest is ${state.source}`;
  }
  return undefined;
}

/** The same for a state and for the one in which the hosts have changed their parts. */
function textOf(state: State): string {
  const [one, two] = state.hosts.map((host) => JSON.stringify(host)) as [string, string];
  const isSwapped = one > two;
  const writers = isSwapped ? [1, 0] : [0, 1];
  const tierText = (tier: Tier | null): string =>
    tier === null
      ? ""
      : `${tier.epoch} ${tier.value} ` +
        tier.log.map(({ id, writer, number, told }) => [id, writers[writer], number, told]).join();
  const { source, ids, made, tier, replica } = state;
  const [first, second] = isSwapped ? [two, one] : [one, two];
  return [source, ids, made, tierText(tier), tierText(replica), first, second].join(" ");
}

export interface Explored {
  readonly states: number;
  /** The shortest events to a fault, and what it is. */
  readonly fault: { readonly events: readonly Event[]; readonly what: string } | undefined;
}

/** Where to begin: all have the value; only the tier has; a host is in the midst of a set. */
export function starts(): { warm: State; cold: State; busy: State } {
  const busy = begin(true);
  for (const name of ["set", "send"] as const) new Protocol().step(busy, [name, 0]);
  return { warm: begin(true), cold: begin(false), busy };
}

/** Takes every order of up to `length` events. */
export function explore(protocol: Protocol, from: readonly State[], length: number): Explored {
  const known = new Set<string>();
  interface Path {
    readonly state: State;
    readonly event: Event | undefined;
    readonly before: Path | undefined;
  }
  const eventsOf = ({ event, before }: Path): Event[] =>
    event === undefined || before === undefined ? [] : [...eventsOf(before), event];
  let paths = from.map((state): Path => ({ state, event: undefined, before: undefined }));
  for (let step = 1; step <= length; step++) {
    const next: Path[] = [];
    for (const path of paths) {
      for (const event of events) {
        const state = copyOf(path.state);
        if (!protocol.step(state, event)) continue;
        const longer = { state, event, before: path };
        const what = faultOf(state);
        const found = (fault: string): Explored => {
          return { states: known.size, fault: { events: eventsOf(longer), what: fault } };
        };
        if (what !== undefined) return found(what);
        const text = textOf(state);
        if (known.has(text)) continue;
        known.add(text);
        const end = endFaultOf(protocol, state);
        if (end !== undefined) return found(end);
        if (step < length) next.push(longer);
      }
    }
    paths = next;
  }
  return { states: known.size, fault: undefined };
}
