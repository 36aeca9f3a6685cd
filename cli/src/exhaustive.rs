//! `nonlin check --exhaustive`: every f32 there is, on several adapters at once.

mod table;

use crate::output::{Progress, short};
use crate::{Failure, Result};
use nonlin::check::{Expected, Finding, Report};
use nonlin::{Chain, Gpu, Pass};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
pub(crate) use table::Table;
use table::stamp;

/// Inputs that a thread takes at one time.
const PIECE: u64 = 1 << 17;

/// What the cell of an adapter begins with where a result is not within the error allowed.
const FAIL: &str = "FAIL ";

/// Bit patterns of f32.
const ALL: u64 = 1 << 32;

/// An adapter whose results are checked.
pub(crate) struct Adapter {
    pub(crate) gpu: Gpu,
    /// In one line.
    pub(crate) description: String,
    /// In a few words, for the head of a column.
    pub(crate) name: String,
}

/// The reports of one chain's pass: one for each adapter, and the peer's, if it has such a function.
pub(crate) struct Row {
    chain: String,
    kernel: String,
    pass: Pass,
    budget: f64,
    adapters: Vec<Found>,
    peer: Option<Found>,
}

/// What was found at all inputs: the infinite ones have a report of their own, since an error there is not one
/// in ULP.
#[derive(Clone, Default)]
struct Found {
    finite: Report,
    limits: Report,
}

impl Found {
    fn passes(&self) -> bool {
        self.finite.passes() && self.limits.passes()
    }

    fn merge(&mut self, other: Found) {
        self.finite.merge(other.finite);
        self.limits.merge(other.limits);
    }
}

/// What a piece of the inputs should give. An infinite one can only be its first.
struct Pieces {
    limits: Expected,
    finite: Expected,
    split: usize,
}

impl Pieces {
    fn new(chain: &Chain, pass: Pass, x: &[f32]) -> Result<Self> {
        let split = usize::from(x[0].is_infinite());
        let (limits, finite) = x.split_at(split);
        let expected = |x: &[f32]| match pass {
            Pass::Forward => Expected::forward(chain, x),
            _ => Expected::backward(chain, x, &vec![1.0f32; x.len()]),
        };
        Ok(Pieces {
            limits: expected(limits)?,
            finite: expected(finite)?,
            split,
        })
    }

    fn compare(&self, got: &[f32]) -> Result<Found> {
        let mut found = Found::default();
        let (limits, finite) = got.split_at(self.split);
        self.limits.compare_into(&mut found.limits, limits)?;
        self.finite.compare_into(&mut found.finite, finite)?;
        Ok(found)
    }
}

/// The results for one piece so far and what was found in each. Most adapters give the same bits, and judging
/// them takes far longer than seeing that.
#[derive(Default)]
struct Judged(Vec<(Vec<f32>, Found)>);

impl Judged {
    fn judge(&mut self, expected: &Pieces, got: Vec<f32>) -> Result<Found> {
        let bytes = bytemuck::cast_slice::<f32, u8>;
        if let Some((_, found)) = self.0.iter().find(|(old, _)| bytes(old) == bytes(&got)) {
            return Ok(found.clone());
        }
        let found = expected.compare(&got)?;
        self.0.push((got, found.clone()));
        Ok(found)
    }
}

impl Row {
    pub(crate) fn passes(&self) -> bool {
        self.adapters.iter().all(Found::passes)
    }

    fn cells(&self, with_peer: bool) -> Vec<String> {
        let mut cells = vec![self.chain.clone(), self.pass.to_string()];
        cells.extend(self.adapters.iter().map(|found| {
            let failed = if found.passes() { "" } else { FAIL };
            format!("{failed}{}", self.worst(found))
        }));
        if with_peer {
            let peer = self.peer.as_ref();
            cells.push(peer.map_or("-".into(), |found| self.worst(found)));
        }
        cells.push(self.kernel.clone());
        cells
    }

    /// The worst error and where, and what is allowed there if it is not the budget.
    fn worst(&self, found: &Found) -> String {
        let mut text = match &found.finite.worst {
            None => "exact".into(),
            Some(Finding { x, got, ulp, .. }) if ulp.is_infinite() => {
                format!("{got} at {}", short(*x))
            }
            Some(Finding {
                x, ulp, allowed, ..
            }) => {
                let ulps = if *ulp < 1e4 {
                    format!("{ulp:.2}")
                } else {
                    format!("{ulp:.1e}")
                };
                let of = if (allowed - self.budget).abs() > 0.01 {
                    format!(" of {allowed:.2}")
                } else {
                    String::new()
                };
                format!("{ulps}{of} at {}", short(*x))
            }
        };
        if let Some(worst) = found.limits.worst.as_ref().filter(|worst| !worst.passes()) {
            text += &format!(", {} at {}", worst.got, worst.x);
        }
        text
    }
}

/// Walks all inputs for each chain's pass, with the chain's budget, and hands over each row as it is done.
pub(crate) fn walk(
    adapters: &[Adapter],
    peer: Option<&str>,
    passes: &[(Chain, Pass, f64)],
    mut done: impl FnMut(Row) -> Result<()>,
) -> Result<()> {
    // Twice the cores: a thread waits for the adapters half of its time.
    let threads = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    let mut peers = Vec::new();
    for _ in 0..threads {
        peers.push(peer.map(Peer::start).transpose()?);
    }
    let progress = Progress::new(passes.len() as u64 * ALL);
    for &(ref chain, pass, budget) in passes {
        progress.doing(format!("{chain} {pass}"));
        let row = Row {
            chain: chain.to_string(),
            kernel: stamp(chain, pass)?,
            pass,
            budget,
            adapters: vec![Found::default(); adapters.len()],
            peer: None,
        };
        let walk = Walk {
            adapters,
            chain,
            pass,
            progress: &progress,
            next: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        };
        done(walk.run(&mut peers, row)?)?;
    }
    Ok(())
}

/// A walk for one pass of a chain, which all threads take part in.
struct Walk<'a> {
    adapters: &'a [Adapter],
    chain: &'a Chain,
    pass: Pass,
    progress: &'a Progress,
    /// The first input that no thread has taken yet.
    next: AtomicU64,
    /// Set when a thread fails.
    stop: AtomicBool,
}

impl Walk<'_> {
    /// Walks with a thread for each of the peers, and puts what they find into the row.
    fn run(&self, peers: &mut [Option<Peer>], row: Row) -> Result<Row> {
        let shared = Mutex::new(row);
        std::thread::scope(|scope| {
            let shared = &shared;
            let threads: Vec<_> = peers
                .iter_mut()
                .map(|peer| {
                    scope.spawn(move || {
                        let result = self.work(peer, shared);
                        self.stop.fetch_or(result.is_err(), Ordering::Relaxed);
                        result
                    })
                })
                .collect();
            let failed = |_| Err(Failure("a thread of the checker panicked".into()));
            let results = threads.into_iter().map(|t| t.join().unwrap_or_else(failed));
            results.collect::<Result<Vec<()>>>()
        })?;
        Ok(shared.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes pieces until there are none, then adds what was found to the row.
    fn work(&self, peer: &mut Option<Peer>, row: &Mutex<Row>) -> Result<()> {
        let mut found = vec![Found::default(); self.adapters.len()];
        let mut peers: Option<Found> = None;
        let ones = vec![1.0f32; PIECE as usize];
        while !self.stop.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(PIECE, Ordering::Relaxed);
            if first >= ALL {
                break;
            }
            let bits = first as u32..=(first + PIECE - 1) as u32;
            let x: Vec<f32> = bits.map(f32::from_bits).collect();
            let expected = Pieces::new(self.chain, self.pass, &x)?;
            let mut judged = Judged::default();
            for (Adapter { gpu, .. }, found) in self.adapters.iter().zip(&mut found) {
                let got = match self.pass {
                    Pass::Forward => gpu.forward(self.chain, &x)?,
                    _ => gpu.backward(self.chain, &x, &ones)?,
                };
                found.merge(judged.judge(&expected, got)?);
            }
            if let Some(peer) = peer
                && let Some(got) = peer.ask(self.chain, self.pass, first)?
            {
                let part = judged.judge(&expected, got)?;
                peers.get_or_insert_default().merge(part);
            }
            self.progress.advance(PIECE);
        }
        if let Ok(mut row) = row.lock() {
            for (all, part) in row.adapters.iter_mut().zip(found) {
                all.merge(part);
            }
            if let Some(part) = peers {
                row.peer.get_or_insert_default().merge(part);
            }
        }
        Ok(())
    }
}

/// A program that computes the same functions, for comparison. It writes its name on a line, then answers
/// each line `CHAIN<tab>PASS<tab>FIRST<tab>COUNT` by a line: `no` if it has no such function, or `ok` and
/// behind it, as little-endian f32, the values (the derivatives, backward) at the COUNT inputs whose
/// bit patterns begin at FIRST.
struct Peer {
    command: String,
    _child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    name: String,
}

impl Peer {
    fn start(command: &str) -> Result<Self> {
        let mut words = command.split_whitespace();
        let program = words.next().unwrap_or_default();
        let mut child = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::io(format_args!("cannot start the peer {command}"), error))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are piped");
        };
        let mut peer = Peer {
            command: command.into(),
            _child: child,
            to,
            from: BufReader::new(from),
            name: String::new(),
        };
        peer.name = peer.line()?;
        Ok(peer)
    }

    fn failed(&self, error: std::io::Error) -> Failure {
        Failure::io(format_args!("the peer {} failed", self.command), error)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.from.read_line(&mut line) {
            Ok(0) => Err(self.failed(ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(line.trim().into()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn ask(&mut self, chain: &Chain, pass: Pass, first: u64) -> Result<Option<Vec<f32>>> {
        writeln!(self.to, "{chain}\t{pass}\t{first}\t{PIECE}").map_err(|e| self.failed(e))?;
        match self.line()?.as_str() {
            "no" => return Ok(None),
            "ok" => {}
            other => {
                let message = format!("the peer {} answers \"{other}\"", self.command);
                return Err(Failure(message));
            }
        }
        let mut values = vec![0.0f32; PIECE as usize];
        let bytes = bytemuck::cast_slice_mut(&mut values);
        self.from.read_exact(bytes).map_err(|e| self.failed(e))?;
        // Bits as they lie in memory are little-endian on every machine that wgpu runs on.
        Ok(Some(values))
    }
}
