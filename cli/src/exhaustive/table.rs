//! The table that a walk writes, and keeps.

use super::{Adapter, FAIL, Peer, Row};
use crate::output::table;
use crate::pending::Pending;
use crate::{Failure, Result};
use nonlin::{Chain, Pass};
use std::io::ErrorKind;
use std::path::Path;

/// The table of all rows so far, and the file that keeps it.
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    with_peer: bool,
    notes: Vec<String>,
    /// What the file has behind its table.
    behind: String,
}

impl Table {
    pub(crate) fn new(adapters: &[Adapter], peer: Option<&str>) -> Result<Self> {
        let mut head: Vec<String> = ["chain", "pass"].map(String::from).to_vec();
        head.extend(adapters.iter().map(|adapter| adapter.name.clone()));
        let mut notes: Vec<_> = adapters
            .iter()
            .map(|adapter| format!("{}: {}", adapter.name, adapter.description))
            .collect();
        if let Some(peer) = peer {
            let name = Peer::start(peer)?.name;
            head.push(name.split(',').next().unwrap_or_default().into());
            notes.push(name);
        }
        head.push("kernel".into());
        Ok(Table {
            head,
            rows: Vec::new(),
            with_peer: peer.is_some(),
            notes,
            behind: String::new(),
        })
    }

    /// Takes in the rows of a file that an earlier walk of the same adapters and drivers wrote, but for those that failed, and
    /// those of kernels that are no more; and what stands behind the table, whichever the drivers.
    pub(crate) fn resume(&mut self, path: &Path) -> Result<()> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(Failure::io(
                    format_args!("cannot read {}", path.display()),
                    error,
                ));
            }
        };
        let mut rows = rows(&text);
        let is_there = |note: &String| text.contains(&format!("- {note}\n"));
        if rows.next().as_ref() != Some(&self.head) {
            return Ok(());
        }
        self.behind = behind(&text).to_owned();
        if self.notes.iter().all(is_there) {
            let passed = |row: &Vec<String>| !row.iter().any(|cell| cell.starts_with(FAIL));
            self.rows = rows.filter(|row| is_of_today(row) && passed(row)).collect();
        }
        Ok(())
    }

    /// Whether this is a row of it already.
    pub(crate) fn has(&self, chain: &Chain, pass: Pass) -> bool {
        let names = [chain.to_string(), pass.to_string()];
        self.rows.iter().any(|row| row[..2] == names)
    }

    pub(crate) fn add(&mut self, row: &Row) {
        let cells = row.cells(self.with_peer);
        let same = |old: &&mut Vec<String>| old[..2] == cells[..2];
        match self.rows.iter_mut().find(same) {
            Some(old) => *old = cells,
            None => self.rows.push(cells),
        }
    }

    pub(crate) fn text(&self) -> String {
        let rows: Vec<_> = [&self.head]
            .into_iter()
            .chain(&self.rows)
            .cloned()
            .collect();
        format!(
            "{}\n{}",
            self.notes.join("\n"),
            table(&rows, self.head.len())
        )
    }

    /// Writes the table as Markdown, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut file = Pending::create(path)?;
        file.write(self.markdown().as_bytes())?;
        file.persist()
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells = cells.iter().map(|cell| cell.replace('|', "\\|"));
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let mut text = String::from(HEADING);
        self.notes
            .iter()
            .for_each(|note| text += &format!("- {note}\n"));
        text += "\n";
        text += &line(&self.head);
        text += &format!("|{}\n", "---|".repeat(self.head.len()));
        self.rows.iter().for_each(|row| text += &line(row));
        text + &self.behind
    }
}

/// The rows of a file's first table, its head among them.
fn rows(text: &str) -> impl Iterator<Item = Vec<String>> {
    let before = text.len() - behind(text).len();
    let lines = text[..before].lines();
    lines.filter_map(|line| line.strip_prefix("| ")).map(|row| {
        row.trim_end_matches(" |")
            .split(" | ")
            .map(|cell| cell.replace("\\|", "|"))
            .collect()
    })
}

/// What stands behind the first table.
fn behind(text: &str) -> &str {
    let table = text.find("\n| ").map_or(text.len(), |at| at + 1);
    text[table..]
        .find("\n\n")
        .map_or("", |end| &text[table + end + 1..])
}

/// Eight digits of the text that computes an element of a chain's pass, comments and layout aside: another text has others. So
/// rows can be told from those of kernels that are no more.
pub(super) fn stamp(chain: &Chain, pass: Pass) -> Result<String> {
    let text = chain.wgsl(pass)?;
    // Behind it is how elements are gone over, which does not change what they give.
    let text = text.split("struct Args").next().unwrap_or_default();
    let code = text.lines().filter_map(|line| line.split("//").next());
    let words = code.flat_map(str::split_whitespace);
    let bytes = words.flat_map(|word| word.bytes().chain([b' ']));
    // FNV-1a.
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    Ok(format!("{hash:08x}"))
}

/// Whether a row is of a chain's kernel as it is now.
fn is_of_today(row: &[String]) -> bool {
    let [chain, pass, .., kernel] = row else {
        return false;
    };
    let (Ok(chain), Ok(pass)) = (chain.parse(), pass.parse()) else {
        return false;
    };
    stamp(&chain, pass).is_ok_and(|today| today == *kernel)
}

const HEADING: &str = "\
# Accuracy

The worst error over all 2^32 inputs of f32, and the input where it is; NaN must give NaN there, and
an infinite input the limit. Backward is the derivative (dy = 1). `nonlin check --exhaustive --out` wrote
this table. \"kernel\" is a hash of the functions that were walked; a test holds every row to those of today.

Errors are in ULP of the f64 reference's value. \"of\" says what is allowed at that input where it is
not the activation's budget, 4 ULP: where x is first multiplied by a parameter, that product's rounding
is allowed for. Near a root of a derivative ULP are measured at 1/8. \"exact\": every result is the nearest
f32, or zero for a subnormal number. src/check/mod.rs has all rules; they are the same for all columns.

";

#[cfg(test)]
mod tests {
    use super::super::Found;
    use super::*;
    use nonlin::{Activation, check};

    fn row(chain: &str, y: f32, peer: Option<f32>) -> Row {
        let parsed: Chain = chain.parse().unwrap();
        let report = |y| Found {
            finite: check::forward(&parsed, &[1.0], &[y]).unwrap(),
            limits: check::forward(&parsed, &[f32::INFINITY], &[y * f32::INFINITY]).unwrap(),
        };
        Row {
            kernel: stamp(&parsed, Pass::Forward).unwrap(),
            chain: chain.into(),
            pass: Pass::Forward,
            budget: 4.0,
            adapters: vec![report(y)],
            peer: peer.map(report),
        }
    }

    fn empty() -> Table {
        Table {
            head: ["chain", "pass", "an adapter", "a peer", "kernel"]
                .map(String::from)
                .to_vec(),
            rows: Vec::new(),
            with_peer: true,
            notes: vec!["an adapter: its driver".into()],
            behind: String::new(),
        }
    }

    #[test]
    fn cells_say_what_and_where() {
        let cells = |row: Row| row.cells(true)[2..4].join("; ");
        let nan = cells(row("relu", 1.0, Some(f32::NAN)));
        assert_eq!(nan, "exact; NaN at 1, NaN at inf");
        assert_eq!(cells(row("relu", 1.1, None)), "FAIL 8.4e5 at 1; -");
        let limit = cells(row("relu", -1.0, None));
        assert_eq!(limit, "FAIL 1.7e7 at 1, -inf at inf; -");
        assert!(!row("relu", 1.1, None).passes() && row("relu", 1.0, Some(2.0)).passes());
        let allowed = cells(row("swish(beta=0.3)", 0.574_442_7, None));
        assert!(allowed.contains(" of 4."), "{allowed}");
    }

    #[test]
    fn a_file_is_taken_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.md");
        let mut table = empty();
        table.resume(&path).unwrap();
        table.add(&row("relu", 1.0, Some(1.5)));
        table.add(&row("scale(1) | relu", 1.0, None));
        table.write(&path).unwrap();

        let mut again = empty();
        again.resume(&path).unwrap();
        assert_eq!(again.rows, table.rows);
        let relu: Chain = "relu".parse().unwrap();
        assert!(again.has(&relu, Pass::Forward) && !again.has(&relu, Pass::Backward));
        again.add(&row("relu", 1.0, None));
        let cells: Vec<_> = again.rows.iter().map(|row| row[3].as_str()).collect();
        assert_eq!(cells, ["-", "-"]);
        assert_eq!(again.rows[1][0], "scale(1) | relu");

        // Of other adapters, nothing is kept.
        let mut other = empty();
        other.head[2] = "another".into();
        other.resume(&path).unwrap();
        assert!(other.rows.is_empty());
        let mut other = empty();
        other.notes = vec!["an adapter: its next driver".into()];
        other.resume(&path).unwrap();
        assert!(other.rows.is_empty());
    }

    #[test]
    fn what_failed_is_walked_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.md");
        let mut table = empty();
        table.add(&row("relu", 1.1, None));
        table.write(&path).unwrap();
        let mut again = empty();
        again.resume(&path).unwrap();
        assert!(again.rows.is_empty());
    }

    #[test]
    fn rows_of_other_kernels_go_and_what_stands_behind_the_table_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.md");
        let mut table = empty();
        table.behind = "\nMore words.\n\n| another | table |\n".into();
        table.add(&row("relu", 1.0, None));
        let older = Row {
            kernel: "00000000".into(),
            ..row("relu6", 1.0, None)
        };
        table.add(&older);
        table.write(&path).unwrap();

        let mut again = empty();
        again.resume(&path).unwrap();
        assert_eq!(again.rows, table.rows[..1]);
        assert_eq!(again.behind, table.behind);
        let mut newer = empty();
        newer.notes = vec!["an adapter: its next driver".into()];
        newer.resume(&path).unwrap();
        assert!(newer.rows.is_empty());
        assert_eq!(newer.behind, table.behind);
    }

    /// The largest error in a row's columns of adapters, up to the next half ULP.
    fn up_to_the_next_half(row: &[String]) -> f64 {
        let adapters = row[2..].iter().take(3);
        let errors = adapters.map(|cell| match cell.as_str() {
            "exact" => 0.5,
            cell => cell.split(' ').next().unwrap().parse::<f64>().unwrap(),
        });
        (2.0 * errors.fold(0.5, f64::max)).ceil() / 2.0
    }

    /// Shaders change, and a walk takes long: what is older than its kernel has no place in the table, nor in a room.
    #[test]
    fn the_table_is_of_the_kernels_of_today_and_rooms_say_what_it_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ACCURACY.md");
        let text = std::fs::read_to_string(path).unwrap();
        let rows: Vec<_> = rows(&text).skip(1).collect();
        let older: Vec<_> = rows.iter().filter(|row| !is_of_today(row)).collect();
        assert!(older.is_empty(), "to be walked again, or to go: {older:?}");
        for activation in Activation::ALL {
            let of = |pass: Pass| {
                let names = [activation.to_string(), pass.to_string()];
                let row = rows.iter().find(|row| row[..2] == names)?;
                Some(up_to_the_next_half(row))
            };
            let [value, derivative] = Pass::FROM_X.map(of);
            let walked = value.zip(derivative).map(|(y, dx)| [y, dx]);
            assert_eq!(activation.walked(), walked, "{activation}");
        }
    }

    #[test]
    fn kernels_are_told_apart_by_what_they_compute() {
        let of = |text: &str| stamp(&text.parse().unwrap(), Pass::Forward).unwrap();
        assert_eq!(of("elu(0.5)"), of("elu"));
        assert_ne!(of("elu"), of("celu"));
        assert_ne!(of("silu"), of("silu | silu"));
        let backward = stamp(&"silu".parse().unwrap(), Pass::Backward).unwrap();
        assert_ne!(of("silu"), backward);
    }
}
