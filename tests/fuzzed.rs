//! What fuzzers begin with, and what they found: all of it holds in every run, without a fuzzer.

#[path = "../fuzz/custom.rs"]
mod custom;

#[path = "../fuzz/text.rs"]
mod text;

/// Every seed is read as text, and none makes anything panic.
#[test]
fn seeds_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/chain_text");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        text::check(&std::fs::read_to_string(path).unwrap());
        count += 1;
    }
    assert!(count >= 20);
}

/// Every seed as an activation's value, and every beginning and every line of one left out: each has derivatives or an error.
#[test]
fn values_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/custom_value");
    let (mut count, mut derived) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        let text = std::fs::read_to_string(path).unwrap();
        derived += u32::from(custom::check(&text));
        let lines: Vec<&str> = text.lines().collect();
        for left_out in 0..lines.len() {
            let (before, behind) = lines.split_at(left_out);
            custom::check(&[before, &behind[1..]].concat().join("\n"));
        }
        for end in (0..text.len()).step_by(7) {
            custom::check(text.get(..end).unwrap_or_default());
        }
        count += 1;
    }
    assert!(count >= 9 && derived >= 6, "{count}, {derived}");
}
