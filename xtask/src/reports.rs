//! The table of adapters, from the reports that there are of them. The command reads them, and a test of the command holds
//! the table to them.

use std::fs;
use std::path::Path;

use crate::shell::{Shell, Step, Stop};

const REPORTS: &str = "docs/adapters";
const TABLE: &str = "docs/ADAPTERS.md";

/// Writes the table.
pub(crate) fn table(shell: &mut Shell) -> Result<(), Stop> {
    let reports = reports(&shell.root().join(REPORTS))?;
    if reports.is_empty() {
        return Err(Stop::new(2, format!("there is no report in {REPORTS}")));
    }
    let command = [
        "cargo",
        "run",
        "--quiet",
        "-p",
        "nonlin-cli",
        "--",
        "report",
    ]
    .map(String::from);
    let mut words = Vec::from(command);
    words.extend(["--out", TABLE, "--table"].map(String::from));
    words.extend(reports);
    let why = "the table of adapters, from their reports";
    shell.run(&Step::new("table", why, &words))
}

/// The names of the reports in a folder, sorted.
fn reports(folder: &Path) -> Result<Vec<String>, Stop> {
    let failed = |error| Stop::new(1, format!("cannot read {}: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".json") {
            names.push(format!("{REPORTS}/{name}"));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_in_order() {
        let folder = std::env::temp_dir().join(format!("xtask-reports-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["b.json", "a.json", "notes.md"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let found = reports(&folder).map_err(|stop| stop.message);
        assert_eq!(
            found.unwrap(),
            ["docs/adapters/a.json", "docs/adapters/b.json"]
        );
        fs::remove_dir_all(&folder).unwrap();
        assert!(reports(&folder).is_err());
    }
}
