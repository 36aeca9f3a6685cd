//! Where the time to a first result goes: from opening a device to what the second dispatch takes, in a new process for
//! each sample, with nothing kept, with the driver's own cache on disk, and with nonlin's. Of what planning takes, the last
//! four are nonlin's and naga's, here done once more by themselves; the rest is the driver's.
//!
//! `cargo bench -p nonlin-cli --bench first -- [ADAPTER [SAMPLES]]`

use naga::back::pipeline_constants::process_overrides;
use naga::back::spv;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use nonlin::{Chain, DType, Gpu, Operand, Operands, Pass, wgpu};
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What is timed, in this order.
const PHASES: [&str; 9] = [
    "open", "plan", "bind", "1st run", "2nd run", "WGSL", "parse", "validate", "SPIR-V",
];

const CASES: [(&str, &str, Pass); 6] = [
    ("relu", "f32", Pass::Forward),
    ("silu", "f32", Pass::Forward),
    ("scale(0.5) | silu | scale(2)", "f32", Pass::Backward),
    ("gelu_tanh", "f32", Pass::Backward),
    ("silu", "f16", Pass::Forward),
    ("softmax", "f32", Pass::Backward),
];

/// Caches between processes.
const KEPT: [&str; 3] = ["nothing", "the driver's cache", "nonlin's cache alone"];

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["--one", adapter, chain, dtype, pass, folder] => one(adapter, chain, dtype, pass, folder),
        // `cargo test` runs benches to see that they do; `cargo bench` says which it is.
        _ if !words.contains(&"--bench") => Ok(()),
        _ => {
            let mut words = words.iter().filter(|word| **word != "--bench");
            let adapter = words.next().copied().unwrap_or("");
            let samples = words.next().map_or(Ok(5), |word| word.parse())?;
            all(adapter, samples)
        }
    }
}

/// One sample: milliseconds of each phase, with tabs between them.
fn one(adapter: &str, chain: &str, dtype: &str, pass: &str, folder: &str) -> Result<()> {
    let (chain, dtype, pass): (Chain, DType, Pass) =
        (chain.parse()?, dtype.parse()?, pass.parse()?);
    let mut clock = Clock::new();
    let builder = Gpu::builder().adapter(adapter);
    let gpu = match folder {
        "" => builder.open()?,
        _ => builder.cache(folder).open()?,
    };
    clock.lap();
    let plan = gpu.kernels().plan(&chain, pass, dtype)?;
    clock.lap();
    let len = 1 << 10;
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let buffers = [0; 3].map(|_| {
        gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: len * dtype.size(),
            usage,
            mapped_at_creation: false,
        })
    });
    let at = |index: usize| Operand::new(&buffers[index], 0, len);
    let operands = match pass {
        Pass::Forward => Operands::new().x(at(0)).y(at(1)),
        _ => Operands::new().x(at(0)).dy(at(1)).dx(at(2)),
    };
    clock.lap();
    clock.taken.pop();
    let bound = plan.bind(operands)?;
    clock.lap();
    for _ in 0..2 {
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        bound.record(&mut encoder.begin_compute_pass(&Default::default()));
        gpu.queue().submit([encoder.finish()]);
        gpu.device().poll(wgpu::PollType::wait_indefinitely())?;
        clock.lap();
    }
    let text = plan.wgsl();
    clock.lap();
    let module = naga::front::wgsl::parse_str(&text)?;
    clock.lap();
    let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module)?;
    clock.lap();
    let constants = Default::default();
    let (module, info) = process_overrides(&module, &info, None, &constants)?;
    let words = spv::write_vec(&module, &info, &spv::Options::default(), None)?;
    std::hint::black_box(words);
    clock.lap();
    gpu.write_cache()?;
    let taken: Vec<String> = clock.taken.iter().map(|ms| format!("{ms:.3}")).collect();
    println!("{}", taken.join("\t"));
    Ok(())
}

struct Clock {
    last: Instant,
    taken: Vec<f64>,
}

impl Clock {
    fn new() -> Self {
        Clock {
            last: Instant::now(),
            taken: Vec::new(),
        }
    }

    fn lap(&mut self) {
        let now = Instant::now();
        self.taken.push((now - self.last).as_secs_f64() * 1e3);
        self.last = now;
    }
}

fn all(adapter: &str, samples: usize) -> Result<()> {
    let gpu = match adapter {
        "" => Gpu::new()?,
        text => Gpu::with_adapter(text)?,
    };
    let described = nonlin::describe(&gpu.device().adapter_info());
    println!("{described}; milliseconds, medians of {samples} processes\n");
    for (kept, title) in KEPT.iter().enumerate() {
        println!("Kept from process to process: {title}\n");
        println!("| | {} | plan to 1st result |", PHASES.join(" | "));
        println!("|{}", "---|".repeat(PHASES.len() + 2));
        let mut bytes: Vec<u64> = Vec::new();
        for (chain, dtype, pass) in CASES {
            let folder = tempfile::tempdir()?;
            let sample = || sample(&described, (chain, dtype, pass), kept, folder.path());
            if kept > 0 {
                // What is to be kept.
                sample()?;
            }
            let taken = (0..samples).map(|_| sample()).collect::<Result<Vec<_>>>()?;
            let phases = (0..PHASES.len()).map(|phase| median(taken.iter().map(|one| one[phase])));
            let phases: Vec<String> = phases.map(|ms| format!("{ms:.1}")).collect();
            let first = median(taken.iter().map(|one| one[1..4].iter().sum()));
            let cells = phases.join(" | ");
            let chain = chain.replace('|', "\\|");
            println!("| {chain}, {dtype} {pass} | {cells} | {first:.1} |");
            if kept == 2 {
                let files = std::fs::read_dir(folder.path())?;
                let sizes = files.map(|file| Ok(file?.metadata()?.len()));
                let sizes = sizes.collect::<std::io::Result<Vec<_>>>()?;
                bytes.extend(sizes);
            }
        }
        println!();
        if kept == 2 {
            println!("Bytes of nonlin's files: {bytes:?}\n");
        }
    }
    Ok(())
}

fn sample(
    adapter: &str,
    (chain, dtype, pass): (&str, &str, Pass),
    kept: usize,
    folder: &Path,
) -> Result<Vec<f64>> {
    let mut command = Command::new(std::env::current_exe()?);
    let own = if kept == 2 {
        folder.as_os_str()
    } else {
        "".as_ref()
    };
    command
        .args(["--one", adapter, chain, dtype, &pass.to_string()])
        .arg(own);
    // Mesa's and NVIDIA's.
    match kept {
        1 => command
            .env("MESA_SHADER_CACHE_DIR", folder)
            .env("__GL_SHADER_DISK_CACHE_PATH", folder),
        _ => command
            .env("MESA_SHADER_CACHE_DISABLE", "true")
            .env("__GL_SHADER_DISK_CACHE", "0"),
    };
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let taken = text.trim().split('\t').map(str::parse);
    Ok(taken.collect::<std::result::Result<_, _>>()?)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
