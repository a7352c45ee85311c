// What can be said on the command line: `npm start -- --users 20000 --seconds 10`.
import { parseArgs } from "node:util";

export interface Settings {
  readonly users: number;
  /** Those who were active lately: they are loaded before they come. */
  readonly activeUsers: number;
  /** Threads that answer messages. */
  readonly threads: number;
  /** Messages in a second, for each thread. */
  readonly rate: number;
  /** How long each life of the service is measured. */
  readonly seconds: number;
}

export function settingsOf(args: readonly string[]): Settings {
  const option = (value: string) => ({ type: "string", default: value }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      users: option("2000"),
      threads: option("2"),
      rate: option("60"),
      seconds: option("2.5"),
    },
  });
  const users = positive("users", values.users);
  return {
    users,
    activeUsers: Math.ceil(0.85 * users),
    threads: positive("threads", values.threads),
    rate: positive("rate", values.rate),
    seconds: positive("seconds", values.seconds),
  };
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new RangeError(`--${option} is ${text}; it must be a number above 0`);
}
