// What can be said on the command line: `npm start -- --users 20000 --seconds 10`, or
// `npm start -- --processes 4`, or `npm start -- --hosts 2`.
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
  /** Processes that share a directory; 0: the platform is one process. */
  readonly processes: number;
  /** Hosts that share a Redis server, each with a directory of its own; 0: there is one. */
  readonly hosts: number;
}

export function settingsOf(args: readonly string[]): Settings {
  const option = (value: string) => ({ type: "string", default: value }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      users: { type: "string" },
      threads: option("2"),
      rate: { type: "string" },
      seconds: option("2.5"),
      processes: option("0"),
      hosts: option("0"),
    },
  });
  const processes = count("processes", values.processes);
  const hosts = count("hosts", values.hosts);
  if (processes > 0 && hosts > 0) throw new RangeError("give --processes or --hosts, not both");
  const isMany = processes > 0 || hosts > 0;
  const users = positive("users", values.users ?? (isMany ? "300" : "2000"));
  return {
    users,
    activeUsers: Math.ceil(0.85 * users),
    threads: positive("threads", values.threads),
    rate: positive("rate", values.rate ?? (isMany ? "10" : "60")),
    seconds: positive("seconds", values.seconds),
    processes,
    hosts,
  };
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new RangeError(`--${option} is ${text}; it must be a number above 0`);
}

const instancesMax = 16;

function count(option: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= instancesMax) return number;
  throw new RangeError(`--${option} is ${text}; it must be a whole number up to ${instancesMax}`);
}
