// The protocol of a shared tier as a small model: two hosts, one tier, one key with a tag, and a
// source whose version every write raises. Each step is one event; `explore` takes every order of
// them. The rules are those of src/redis (scripts.ts, log-reader.ts) and of src/outer-tiers (the
// queue, the link); a mutant leaves one of them out.

export const mutants = [
  "a set is made whatever others did since its base",
  "a refused set leaves what others set",
  "an own batch that is late passes over a later one",
  "what waits stays when others changed the key",
  "what is being made stays when others changed the key",
  "an answer stays when others changed the key meanwhile",
  "an answer stays when an own deletion by tag was made meanwhile",
  "a load is stored when others changed the key meanwhile",
  "the position moves on before what is heard has ended",
  "nothing ends when the log has a gap",
  "nothing ends while the host is cut off",
  "what waits stays while the host is cut off",
  "a new epoch keeps what waits",
  "a cut history goes on as it is",
  "a read does not look at the history",
  "a host forgets what it has made",
] as const;
export type Mutant = (typeof mutants)[number];

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

interface Tier {
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
  /** The newest entry of the log that it knows to have been there: heard, or its own that was
   *  made. */
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

const alone = ["flush", "failover"] as const;
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
  ...alone.map((name): Event => [name, 0]),
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
function begin(isWarm: boolean): State {
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
    // The cache dies, or is busy, in between: what it had is still there.
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
      const isEnded = host.isVoid || host.sent === null || host.sent.isEnded;
      const making = isEnded ? null : host.sent.key;
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
    // A deletion by tag that waits ends it; what was written or heard since is newer.
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

function copyOf(state: State): State {
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

// ── What must hold ────────────────────────────────────────────────────────────────────────────

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
