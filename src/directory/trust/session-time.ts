// The time of a cache over its sessions. Entries live by the cache's time, which only moves
// forward: it follows the wall clock, and stays ahead of it by as much as that was put back while a
// cache was open. So an entry has its true age after the clock was put right. Pure; called by
// openDirectory.
// Invariant: time that has passed counts at least once. Where that is not certain, `isBehind` says
// so, and entries that expire are dropped.
import { isSameBoot } from "./boot.js";

/** What a session left of its time. */
export interface TimeLeft {
  /** The cache's time when it was last known to be open. */
  readonly lastAliveMs: number;
  /** How far that was ahead of the wall clock. */
  readonly clockAheadMs: number;
  /** The uptime of the machine then, 0 if it is not known. */
  readonly uptimeMs: number;
  readonly bootId: string;
}

/** What the machine says at an open. */
export interface TimeFound {
  readonly wallNow: number;
  /** Null if it says nothing of `wallNow`, as with an injected clock. */
  readonly uptimeMs: number | null;
  readonly bootId: string;
}

/** How a session begins. */
export interface TimeResumed {
  /** How far the cache's time is ahead of the wall clock. */
  readonly aheadMs: number;
  /** The wall clock is behind the last session, and nothing says how much time has passed. */
  readonly isBehind: boolean;
}

/** How far clocks may disagree. */
const slackMs = 1_000;

/** Goes on where the last session ended. */
export function resumeTime(left: TimeLeft, now: TimeFound): TimeResumed {
  const { lastAliveMs, clockAheadMs } = left;
  const byWall = now.wallNow + clockAheadMs - lastAliveMs;
  const byUptime = passedByUptime(left, now);
  if (byUptime !== null && byUptime > byWall + slackMs) {
    // The wall clock was put back since.
    return { aheadMs: clockAheadMs + byUptime - byWall, isBehind: false };
  }
  if (!(byWall >= -slackMs)) return { aheadMs: 0, isBehind: true };
  return { aheadMs: clockAheadMs, isBehind: false };
}

/** Milliseconds since the last session, suspended ones too; null if that is not known. */
function passedByUptime(left: TimeLeft, now: TimeFound): number | null {
  if (left.uptimeMs === 0 || now.uptimeMs === null || !isSameBoot(left.bootId, now.bootId)) {
    return null;
  }
  // Less than before: the uptime of a container that was started anew.
  return now.uptimeMs < left.uptimeMs ? null : now.uptimeMs - left.uptimeMs;
}
