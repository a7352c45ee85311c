// The protocol of a shared tier as a small model: two hosts, one tier, one key with a tag, and a
// source whose version every write raises. Each step is one event. The rules are those of src/redis
// (scripts.ts, log-reader.ts) and of src/outer-tiers (the queue, the link); a mutant leaves one of
// them out.
import type { Mutant } from "./tier-mutants.js";

type Change = { readonly kind: "set"; readonly version: number } | { readonly kind: "delete" };

interface Batch {
  readonly number: number;
  readonly epoch: number;
  readonly base: number;
  key: Change | null;
  readonly isVoid: boolean;
  /** The versions of the source that it tells of. */
  readonly told: number;
  /** Others changed the key since it was sent. */
  isEnded: boolean;
}

interface Entry {
  readonly id: number;
  readonly writer: number;
  readonly number: number;
  readonly told: number;
}

export interface Tier {
  epoch: number;
  log: Entry[];
  value: number | null;
}

interface Host {
  memory: number | null;
  /** What waits: a change of the key, a deletion by tag before it. */
  key: Change | null;
  isVoid: boolean;
  told: number;
  sent: Batch | null;
  late: Batch | null;
  batches: number;
  epoch: number;
  position: number;
  /** The newest entry of the log that it knows to have been there. */
  witness: number;
  /** What the tier answered, on its way. */
  reading: { answer: number | null; isEnded: boolean } | null;
  loading: { readonly version: number; isSuperseded: boolean } | null;
  /** It has not heard of others for so long that it dropped all. */
  isExpired: boolean;
  /** What was made by then: it answers nothing older until it hears of others again. */
  floor: number;
  /** The newest version that this host wrote, and that it has answered. */
  own: number;
  seen: number;
}

export interface State {
  source: number;
  ids: number;
  /** The newest version that was made in the tier. */
  made: number;
  tier: Tier;
  /** The tier before its last batch: what a replica may have. */
  replica: Tier | null;
  readonly hosts: readonly [Host, Host];
}

export type Event = readonly [name: string, host: number];

const perHost = [
  "set",
  "delete",
  "tag",
  "send",
  "make",
  "time out",
  "make late",
  "hear",
  "ask",
  "take",
  "load",
  "fill",
  "expire",
  "heal",
] as const;

export const events: readonly Event[] = [
  ...[0, 1].flatMap((host) => perHost.map((name): Event => [name, host])),
  ["flush", 0],
  ["failover", 0],
];

function newHost(): Host {
  return {
    memory: null,
    key: null,
    isVoid: false,
    told: 0,
    sent: null,
    late: null,
    batches: 0,
    epoch: 1,
    position: 1,
    witness: 1,
    reading: null,
    loading: null,
    isExpired: false,
    floor: 0,
    own: 0,
    seen: 0,
  };
}

/** The tier has the newest value; so have the hosts, if they are warm. */
export function begin(isWarm: boolean): State {
  const hosts = [newHost(), newHost()] as const;
  if (isWarm) for (const host of hosts) Object.assign(host, { memory: 1, seen: 1 });
  const log = [{ id: 1, writer: -1, number: 0, told: 1 }];
  const tier = { epoch: 1, log, value: 1 };
  return { source: 1, ids: 1, made: 1, tier, replica: null, hosts: [...hosts] };
}

export class Protocol {
  readonly #mutant: Mutant | undefined;

  constructor(mutant?: Mutant) {
    this.#mutant = mutant;
  }

  /** Changes a state by an event; false if that cannot happen, and then changes nothing. */
  step(state: State, [name, index]: Event): boolean {
    const host = state.hosts[index] as Host;
    switch (name) {
      case "set":
      case "delete":
      case "tag":
        return this.#write(state, host, name);
      case "send":
        return this.#send(host);
      case "make":
      case "time out":
      case "make late":
        return this.#make(state, host, index, name);
      case "hear":
        return this.#hear(state, host, index);
      case "ask":
      case "take":
        return this.#read(state, host, name);
      case "load":
      case "fill":
        return this.#load(state, host, name);
      case "expire":
        return this.#expire(state, host);
      case "heal":
        return this.#heal(state, host);
      default:
        return this.#server(state, name);
    }
  }

  // ── A host ──────────────────────────────────────────────────────────────────────────────────

  #write(state: State, host: Host, how: "set" | "delete" | "tag"): boolean {
    const version = ++state.source;
    host.own = version;
    host.told = version;
    host.memory = how === "set" ? version : null;
    if (how === "set") {
      host.key = { kind: "set", version };
      host.seen = version;
    } else if (how === "delete") host.key = { kind: "delete" };
    else {
      host.isVoid = true;
      if (host.key !== null) host.key = { kind: "delete" };
    }
    if (host.reading !== null) host.reading.isEnded = true;
    if (host.loading !== null) host.loading.isSuperseded = true;
    return true;
  }

  #send(host: Host): boolean {
    if (host.sent !== null || (host.key === null && !host.isVoid)) return false;
    const { key, isVoid, told, epoch, position: base } = host;
    const number = ++host.batches;
    host.sent = { number, epoch, base, key, isVoid, told, isEnded: false };
    host.key = null;
    host.isVoid = false;
    return true;
  }

  #make(state: State, host: Host, index: number, name: string): boolean {
    if (name === "make late") {
      if (host.late === null) return false;
      this.#apply(state, index, host.late);
      host.late = null;
      return true;
    }
    const { sent } = host;
    if (sent === null) return false;
    host.sent = null;
    const isTimedOut = name === "time out";
    const isMade = !isTimedOut && this.#apply(state, index, sent);
    if (isTimedOut) host.late = sent;
    if (!isTimedOut && !isMade) this.#check(state, host);
    if (isMade) {
      // It may have been read before.
      const isKept = this.#is("an answer stays when an own deletion by tag was made meanwhile");
      if (sent.isVoid && host.reading !== null && !isKept) host.reading.isEnded = true;
      if (sent.isEnded) host.key ??= { kind: "delete" };
      if (!this.#is("a host forgets what it has made")) host.witness = state.ids;
      return true;
    }
    let { key } = sent;
    const isOther = !isTimedOut && !this.#is("a new epoch keeps what waits");
    const isVoided = host.isVoid || sent.isEnded || isOther;
    if (key !== null && isVoided) key = { kind: "delete" };
    host.key ??= key;
    host.isVoid ||= sent.isVoid;
    return true;
  }

  #hear(state: State, host: Host, index: number): boolean {
    const { tier } = state;
    const at = tier.log.findIndex(({ id }) => id === host.position);
    if (!this.#isKnown(state, host)) return this.#check(state, host);
    const entry = tier.log[at + 1];
    if (entry === undefined) return false;
    host.position = entry.id;
    host.witness = Math.max(host.witness, entry.id);
    const isEarly = this.#is("the position moves on before what is heard has ended");
    if (entry.writer !== index && !isEarly) this.#end(host);
    return true;
  }

  /** Others changed the key. */
  #end(host: Host, isCut = false): void {
    host.memory = null;
    if (host.reading !== null) {
      host.reading.isEnded ||= !this.#is("an answer stays when others changed the key meanwhile");
    }
    if (host.loading !== null) {
      const isKept = this.#is("a load is stored when others changed the key meanwhile");
      host.loading.isSuperseded ||= !isKept;
    }
    const keepsWaiting = this.#is(
      isCut
        ? "what waits stays while the host is cut off"
        : "what waits stays when others changed the key",
    );
    if (host.key !== null && !keepsWaiting) host.key = { kind: "delete" };
    const keepsMaking = this.#is("what is being made stays when others changed the key");
    if (host.sent !== null && !keepsMaking) host.sent.isEnded = true;
  }

  /** Asks the tier whether its log has all since the position. */
  #check(state: State, host: Host): boolean {
    const { tier } = state;
    const last = (): number => (tier.log.at(-1) as Entry).id;
    if (!this.#isKnown(state, host)) {
      const isLost = host.epoch === tier.epoch;
      if (isLost && !this.#is("a cut history goes on as it is")) this.#newEpoch(state);
      if (!this.#is("nothing ends when the log has a gap")) this.#end(host);
      host.epoch = tier.epoch;
      host.position = last();
      host.witness = host.position;
    }
    return true;
  }

  #isKnown({ tier }: State, { epoch, position, witness }: Host): boolean {
    const has = (wanted: number): boolean => tier.log.some(({ id }) => id === wanted);
    return epoch === tier.epoch && has(position) && has(witness);
  }

  #read(state: State, host: Host, name: string): boolean {
    if (name === "ask") {
      const { sent } = host;
      const making = host.isVoid || sent === null || sent.isEnded ? null : sent.key;
      const queued = host.key ?? making;
      if (host.memory === null && queued?.kind === "set") {
        host.memory = queued.version;
        return true;
      }
      const isQueued = host.key !== null || (host.sent?.key ?? null) !== null;
      const isBusy = host.memory !== null || host.reading !== null;
      if (isBusy || isQueued || host.isExpired) return false;
      const { tier } = state;
      const isRead =
        this.#isKnown(state, host) ||
        (host.epoch === tier.epoch && this.#is("a read does not look at the history"));
      host.reading = { answer: isRead ? tier.value : null, isEnded: false };
      return true;
    }
    const { reading } = host;
    if (reading === null) return false;
    host.reading = null;
    const isUsed = !reading.isEnded && !host.isVoid && host.sent?.isVoid !== true;
    if (isUsed && reading.answer !== null && host.memory === null) {
      host.memory = reading.answer;
      if (host.loading !== null) host.loading.isSuperseded = true;
    }
    return true;
  }

  #load(state: State, host: Host, name: string): boolean {
    if (name === "load") {
      if (host.memory !== null || host.loading !== null) return false;
      host.loading = { version: state.source, isSuperseded: false };
      return true;
    }
    const { loading } = host;
    if (loading === null) return false;
    host.loading = null;
    if (loading.isSuperseded) return true;
    host.memory = loading.version;
    host.key = { kind: "set", version: loading.version };
    host.told = Math.max(host.told, loading.version);
    if (host.reading !== null) host.reading.isEnded = true;
    return true;
  }

  #expire(state: State, host: Host): boolean {
    if (host.isExpired && host.floor === state.made) return false;
    host.isExpired = true;
    host.floor = state.made;
    if (!this.#is("nothing ends while the host is cut off")) this.#end(host, true);
    return true;
  }

  #heal(state: State, host: Host): boolean {
    if (!host.isExpired && this.#isKnown(state, host)) return false;
    host.isExpired = false;
    host.floor = 0;
    return this.#check(state, host);
  }

  // ── The tier ────────────────────────────────────────────────────────────────────────────────

  /** False if the epoch is another one: nothing is made. */
  #apply(state: State, writer: number, { number, epoch, base, key, isVoid, told }: Batch): boolean {
    const { tier } = state;
    if (epoch !== tier.epoch) return false;
    state.replica = copyOfTier(tier);
    const at = tier.log.findIndex(({ id }) => id === base);
    const passes = this.#is("an own batch that is late passes over a later one");
    const isOthers = (entry: Entry): boolean =>
      entry.writer !== writer || (entry.number > number && !passes);
    const isUnknown = at < 0 || tier.log.slice(at + 1).some(isOthers);
    const isRefused = isUnknown && !this.#is("a set is made whatever others did since its base");
    if (isVoid) tier.value = null;
    if (key?.kind === "set" && !isRefused) tier.value = key.version;
    else if (key?.kind === "delete") tier.value = null;
    else if (key !== null && !this.#is("a refused set leaves what others set")) tier.value = null;
    tier.log.push({ id: ++state.ids, writer, number, told });
    state.made = Math.max(state.made, told);
    return true;
  }

  #newEpoch(state: State): void {
    const { tier } = state;
    tier.epoch = ++state.ids;
    tier.value = null;
    tier.log = [{ id: ++state.ids, writer: -1, number: 0, told: 0 }];
  }

  #server(state: State, name: string): boolean {
    if (name === "flush") {
      state.replica = null;
      this.#newEpoch(state);
      return true;
    }
    if (state.replica === null) return false;
    state.tier = copyOfTier(state.replica);
    state.replica = null;
    return true;
  }

  #is(mutant: Mutant): boolean {
    return this.#mutant === mutant;
  }
}

export function copyOf(state: State): State {
  const { source, ids, made, replica } = state;
  const hosts = state.hosts.map((host) => ({
    ...host,
    sent: host.sent && { ...host.sent },
    late: host.late && { ...host.late },
    reading: host.reading && { ...host.reading },
    loading: host.loading && { ...host.loading },
  })) as unknown as readonly [Host, Host];
  return { source, ids, made, tier: copyOfTier(state.tier), replica, hosts };
}

/** Entries and changes do not change. */
function copyOfTier(tier: Tier): Tier {
  return { ...tier, log: [...tier.log] };
}
