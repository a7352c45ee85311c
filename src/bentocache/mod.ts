// The entry "undercroft/bentocache": a driver for the first layer of a bentocache store.
export { bentocacheDriver } from "./bentocache-driver.js";
