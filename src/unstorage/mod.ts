// The entry "undercroft/unstorage": a driver for unstorage, and so for Nitro and Nuxt.
export { unstorageDriver } from "./unstorage-driver.js";
