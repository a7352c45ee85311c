// `npm start`: the agent platform in one process, in several lives; `npm start -- --processes 4`:
// in several processes that share a directory; `npm start -- --hosts 2`: on several hosts.
import { settingsOf } from "./settings.js";

const { processes, hosts } = settingsOf(process.argv.slice(2));
await (processes > 0 || hosts > 0 ? import("./many.js") : import("./lives.js"));
