export { type DiskHandle, DiskTier } from "./disk-tier.js";
