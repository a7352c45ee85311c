// The records of the platform behind a server, as processes and hosts have them: one connection to
// SQLite in the process that measures, and clients that wait for answers and hold nothing up.
import { deserialize, serialize } from "node:v8";

import { LocalServer } from "./local-server.js";
import type { RecordSource, Records } from "./records.js";

type Method = keyof RecordSource;
type Arguments<Name extends Method> = Parameters<RecordSource[Name]>;
type Answer<Name extends Method> = Awaited<ReturnType<RecordSource[Name]>>;

export class RecordServer extends LocalServer {
  constructor(records: Records) {
    super((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const [name, args] = deserialize(Buffer.concat(parts)) as [Method, unknown[]];
        const call = records[name] as (...given: unknown[]) => unknown;
        response.end(serialize(call.apply(records, args)));
      });
    });
  }
}

export function recordsAt(port: number): RecordSource {
  const call =
    <Name extends Method>(name: Name) =>
    async (...args: Arguments<Name>): Promise<Answer<Name>> => {
      const body = serialize([name, args]);
      const response = await fetch(`http://127.0.0.1:${port}`, { method: "POST", body });
      if (!response.ok) throw new Error(`${name} of the records: ${response.status}`);
      return deserialize(Buffer.from(await response.arrayBuffer())) as Answer<Name>;
    };
  return {
    agent: call("agent"),
    agentsOf: call("agentsOf"),
    agentsOfMany: call("agentsOfMany"),
    group: call("group"),
    groups: call("groups"),
    blocks: call("blocks"),
    writeBlock: call("writeBlock"),
    changeGroup: call("changeGroup"),
    changePrompt: call("changePrompt"),
    forget: call("forget"),
    begin: call("begin"),
    finish: call("finish"),
    takeUnfinished: call("takeUnfinished"),
  };
}
