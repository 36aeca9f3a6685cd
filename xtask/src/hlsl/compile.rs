//! One compiler's work on all kernels, in one process that goes on after what kills it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::shell::Stop;

/// A program that reads names of files and says of each what the compiler made of it (dxc.cpp, fxc.c).
pub(super) struct Compiler {
    pub(super) name: &'static str,
    /// The shader model.
    pub(super) target: &'static str,
    pub(super) words: Vec<PathBuf>,
    pub(super) variables: Vec<(&'static str, OsString)>,
    /// Where it runs, beside the compiler's library.
    pub(super) folder: PathBuf,
    /// After which it is stopped, and the kernel that it was at counts as refused.
    pub(super) limit: Duration,
}

/// What a compiler made of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) passed: bool,
    pub(super) milliseconds: f64,
    /// Of code.
    pub(super) bytes: u64,
    pub(super) message: String,
}

impl Outcome {
    /// From the line that the program writes.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(4, ' ');
        let passed = match parts.next()? {
            "ok" => true,
            "refused" => false,
            _ => return None,
        };
        Some(Outcome {
            passed,
            milliseconds: parts.next()?.parse().ok()?,
            bytes: parts.next()?.parse().ok()?,
            message: parts.next().unwrap_or_default().trim().into(),
        })
    }

    fn refused(milliseconds: f64, message: impl Into<String>) -> Self {
        Outcome {
            passed: false,
            milliseconds,
            bytes: 0,
            message: message.into(),
        }
    }
}

/// How often a process that says nothing is looked after.
const TICK: Duration = Duration::from_millis(500);

impl Compiler {
    /// What it makes of each file, which `tell` hears at once. Where the compiler ends, or takes too long, a new one begins
    /// at that kernel, since the fault may be another's, such as a machine's without memory. If that ends there too, the
    /// kernel is refused, and the rest goes on.
    pub(super) fn compile(
        &self,
        files: &[PathBuf],
        mut tell: impl FnMut(usize, &Outcome),
    ) -> Result<Vec<Outcome>, Stop> {
        let mut done = Vec::new();
        while done.len() < files.len() {
            let before = done.len();
            let rest = &files[before..];
            let mut child = self.start(rest)?;
            let end = self.listen(&mut child, rest.len(), &mut done, &mut tell);
            // Most often it has ended.
            let _ = child.kill();
            let _ = child.wait();
            if done.is_empty() {
                let message = format!("{} compiled nothing: {}", self.name, end.message);
                return Err(Stop::new(1, message));
            }
            if done.len() == before {
                tell(before, &end);
                done.push(end);
            }
        }
        Ok(done)
    }

    /// Takes the outcomes of `count` files until the process ends or is too slow: what is given back is then of the next
    /// file. The end of its output is no sign, since Wine's own processes hold it open.
    fn listen(
        &self,
        child: &mut Child,
        count: usize,
        done: &mut Vec<Outcome>,
        tell: &mut impl FnMut(usize, &Outcome),
    ) -> Outcome {
        let lines = lines(child);
        let wanted = done.len() + count;
        let mut since = Instant::now();
        while done.len() < wanted {
            // Whether it has ended is asked first, so that no line can come in between.
            let has_ended = !matches!(child.try_wait(), Ok(None));
            match lines.recv_timeout(TICK) {
                Ok(line) => match Outcome::parse(&line) {
                    Some(outcome) => {
                        tell(done.len(), &outcome);
                        done.push(outcome);
                        since = Instant::now();
                    }
                    None => return Outcome::refused(0.0, format!("it wrote: {line}")),
                },
                Err(_) if has_ended => return Outcome::refused(0.0, "it ended the compiler"),
                Err(_) if since.elapsed() >= self.limit => {
                    let message = format!("not done after {:?}", self.limit);
                    return Outcome::refused(1000.0 * self.limit.as_secs_f64(), message);
                }
                Err(_) => {}
            }
        }
        Outcome::refused(0.0, "not asked for")
    }

    fn start(&self, files: &[PathBuf]) -> Result<Child, Stop> {
        let cannot = |error| Stop::new(1, format!("cannot start {}: {error}", self.name));
        let list = self.folder.join(format!("{}.list", self.name));
        fs::write(&list, text(files)).map_err(cannot)?;
        let names = File::open(&list).map_err(cannot)?;
        Command::new(&self.words[0])
            .args(&self.words[1..])
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(names)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(cannot)
    }
}

fn text(files: &[PathBuf]) -> String {
    let line = |file: &PathBuf| format!("{}\n", Path::display(file));
    files.iter().map(line).collect()
}

/// What the process writes, line by line: from a thread, since reading has no time limit.
fn lines(child: &mut Child) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if send.send(line).is_err() {
                    break;
                }
            }
        });
    }
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let read = |line| Outcome::parse(line).unwrap();
        let ok = read("ok 57.5 1234 ");
        assert!(ok.passed && ok.message.is_empty());
        assert_eq!((ok.milliseconds, ok.bytes), (57.5, 1234));
        let refused = read("refused 0.5 0 a.hlsl(1,1): error X3000 / ");
        assert_eq!(refused, Outcome::refused(0.5, "a.hlsl(1,1): error X3000 /"));
        for line in ["", "ok", "ok 1", "fine 1 2", "ok x 2"] {
            assert_eq!(Outcome::parse(line), None, "{line}");
        }
    }

    /// A compiler that is a shell script, for files that are called what they do.
    #[cfg(unix)]
    fn outcomes(name: &str, files: &[&str]) -> Result<Vec<(bool, String)>, String> {
        let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let script = folder.join("script");
        let text = r#"while read -r file; do case $file in
            ok) echo 'ok 1.5 100';; bad) echo 'refused 1 0 no';; dies) exit 3;;
            once) [ -e died ] || { touch died; exit 3; }; echo 'ok 1 1';; hangs) exec sleep 60;;
        esac; done"#;
        fs::write(&script, text).unwrap();
        let compiler = Compiler {
            name: "script",
            target: "sh",
            words: vec!["sh".into(), script],
            variables: Vec::new(),
            folder: folder.clone(),
            limit: Duration::from_secs(1),
        };
        let files: Vec<_> = files.iter().map(PathBuf::from).collect();
        let mut told = Vec::new();
        let outcomes = compiler.compile(&files, |index, _| told.push(index));
        let outcomes = outcomes.map_err(|stop| stop.message);
        fs::remove_dir_all(&folder).unwrap();
        if let Ok(outcomes) = &outcomes {
            assert_eq!(told, (0..outcomes.len()).collect::<Vec<_>>());
        }
        Ok(outcomes?
            .into_iter()
            .map(|o| (o.passed, o.message))
            .collect())
    }

    #[test]
    #[cfg(unix)]
    fn what_ends_a_compiler_does_not_end_the_rest() {
        let found = outcomes("ends", &["ok", "once", "dies", "bad", "hangs", "ok"]).unwrap();
        let wanted = [
            (true, ""),
            (true, ""),
            (false, "it ended the compiler"),
            (false, "no"),
            (false, "not done after 1s"),
            (true, ""),
        ];
        assert_eq!(
            found,
            wanted.map(|(passed, message)| (passed, message.to_owned()))
        );
        let wanted = "script compiled nothing: it ended the compiler";
        assert_eq!(outcomes("starts", &["dies", "ok"]), Err(wanted.into()));
    }
}
