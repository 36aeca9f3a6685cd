export * from "./pkg/nonlin.js";
