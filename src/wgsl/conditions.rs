//! What stands behind `//#if` in a file: `N >= 3 & M < 5`.

/// Whether all of them hold of these constants: names and values.
pub(super) fn hold(conditions: &str, constants: &[(String, String)]) -> Result<bool, String> {
    let mut all = true;
    for condition in conditions.split('&').filter(|text| !text.is_empty()) {
        let words: Vec<_> = condition.split_whitespace().collect();
        let &[name, sign, number] = &words[..] else {
            return Err(format!("no condition: {condition}"));
        };
        let set = constants.iter().find(|(known, _)| known == name);
        let value = set.and_then(|(_, value)| value.parse::<i64>().ok());
        let (Some(value), Ok(number)) = (value, number.parse::<i64>()) else {
            return Err(format!("no numbers: {condition}"));
        };
        all &= match sign {
            ">=" => value >= number,
            "==" => value == number,
            "<" => value < number,
            _ => return Err(format!("no condition: {condition}")),
        };
    }
    Ok(all)
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
            assert_eq!(hold(condition, &constants), Ok(holds), "{condition}");
        }
        for wrong in ["L >= 5", "N > 5", "N >= M", "N"] {
            assert!(hold(wrong, &constants).is_err(), "{wrong}");
        }
    }
}
