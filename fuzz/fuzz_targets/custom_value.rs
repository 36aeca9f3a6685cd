//! Text as an activation's value, whose derivatives are derived.

#![no_main]

#[path = "../custom.rs"]
mod custom;

libfuzzer_sys::fuzz_target!(|text: &str| {
    custom::check(text);
});
