//! What stands behind `//#if` in a file: `N >= 3 & M < 5`.

/// Whether all of them hold of these constants: names and values. None if they are not written so.
pub(super) fn hold(conditions: &str, constants: &[(String, String)]) -> Option<bool> {
    let mut words = conditions.split_ascii_whitespace();
    let mut all = true;
    while let Some(name) = words.next() {
        let (_, value) = constants.iter().find(|(known, _)| known == name)?;
        let (sign, number) = (words.next()?, words.next()?);
        let [value, number]: [i32; 2] = [value.parse().ok()?, number.parse().ok()?];
        all &= match sign {
            ">=" => value >= number,
            "==" => value == number,
            "<" => value < number,
            _ => return None,
        };
        if words.next().is_some_and(|and| and != "&") {
            return None;
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_or_do_not() {
        let constants = [("N", "5"), ("M", "2")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        for (condition, holds) in [
            ("", true),
            ("N >= 5", true),
            ("N >= 6", false),
            ("N == 5", true),
            ("N < 5", false),
            ("M >= 1 & M < 3", true),
            ("M >= 1 & N < 3", false),
        ] {
            assert_eq!(hold(condition, &constants), Some(holds), "{condition}");
        }
        for wrong in ["L >= 5", "N > 5", "N >= M", "N", "N >= 5 M >= 1"] {
            assert!(hold(wrong, &constants).is_none(), "{wrong}");
        }
    }
}
