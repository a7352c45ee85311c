// Asks about one key. Used by page.js.
import { bytes } from "./words.js";

/** What is told of the answer. */
export async function asked(act, namespace, key) {
  try {
    const response = await fetch("key", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ act, namespace, key }),
    });
    if (!response.ok) return await response.text();
    const { error, outcome, entry } = await response.json();
    if (error !== undefined) return error;
    if (!entry) return outcome;
    const moment = (ms) => (ms === null ? "never" : new Date(ms).toLocaleString());
    const tagged = entry.tags.length === 0 ? "no tags" : `tags ${entry.tags.join(", ")}`;
    return (
      `${outcome} in ${entry.source}, ${bytes(entry.size)}, stored ${moment(entry.createdAt)}, ` +
      `expires ${moment(entry.expiresAt)}, stale until ${moment(entry.staleUntil)}, ${tagged}`
    );
  } catch {
    return "the dashboard does not answer";
  }
}
