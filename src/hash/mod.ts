export { createHasher, type Hasher } from "./hasher.js";
