// The rules of the protocol of a shared tier, each as it is left out (tier-protocol.ts).
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
