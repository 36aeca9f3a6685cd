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

/// Seeds with words of other seeds in the place of some of theirs: more with `NONLIN_FUZZED=100000`.
#[test]
fn mixed_values_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/custom_value");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let texts: Vec<String> = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let words: Vec<Vec<&str>> = texts.iter().map(|text| words(text)).collect();
    let more = std::env::var("NONLIN_FUZZED").ok();
    let count: u64 = more.map_or(2000, |count| count.parse().unwrap());
    let (mut state, mut derived) = (1u64, 0u64);
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize) % below
    };
    for _ in 0..count {
        let mut mixed = words[draw(words.len())].clone();
        for _ in 0..=draw(4) {
            let at = draw(mixed.len());
            let other = &words[draw(words.len())];
            let from = draw(other.len());
            match draw(4) {
                0 => drop(mixed.remove(at)),
                1 => mixed.insert(at, other[from]),
                2 => mixed[at] = other[from],
                _ => {
                    let end = other.len().min(from + 1 + draw(8));
                    drop(mixed.splice(at..=at, other[from..end].iter().copied()));
                }
            }
            if mixed.is_empty() {
                break;
            }
        }
        derived += u64::from(custom::check(&mixed.concat()));
    }
    assert!(
        derived * 50 > count,
        "{derived} of {count} have derivatives"
    );
}

/// Names, numbers, and single characters.
fn words(text: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let (mut words, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let end = match is_name(first) {
            true => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, behind) = rest.split_at(end);
        words.push(word);
        rest = behind;
    }
    words
}
