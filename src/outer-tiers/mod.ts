export { Seals } from "./envelope.js";
export type {
  FlushDepth,
  Tier,
  TierChange,
  TierEntry,
  TierInvalidation,
  TierKey,
  TierListener,
  TierRenewal,
  TierTurn,
} from "./tier.js";
export type { TierAccess } from "./tier-access.js";
export { TierGuest } from "./tier-guest.js";
export { type HostParts, type Numbered, TierHost } from "./host/tier-host.js";
export { type Brought, TierReader } from "./tier-reader.js";
export { TierWords } from "./tier-words.js";
export { TierWriter } from "./tier-writer.js";
