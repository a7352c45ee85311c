export { AttachLoop, type OpenedBack } from "./attach-loop.js";
export type { BackCache } from "./back-store.js";
export { LeaseWords } from "./lease-words.js";
export { ownerTierName, ProcessTier } from "./process-tier.js";
export { SpaceKeys } from "./space-keys.js";
