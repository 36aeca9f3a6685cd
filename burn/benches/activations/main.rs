//! nonlin-burn beside burn's own activations, with and without burn's fusion, in one run on one adapter.
//!
//! ```text
//! cargo bench --workspace --bench activations                      # everything
//! cargo bench --workspace --bench activations -- silu host         # rows whose names contain one of these
//! cargo bench --workspace --bench activations -- --elements 1048576 --samples 3
//! ```
//!
//! What is compared:
//!
//! - All run on burn's backends directly, so that one program has both: `Cube`, which is burn with fusion, and
//!   `CubeBackend`, without. burn's activations are composed as burn's own source composes them; those which it
//!   has not, of the operations that its users would take.
//! - copy is nonlin's identity through the same doors: one read and one write forward, two reads and one write
//!   backward.
//! - Results of all variants are compared with each other before anything is timed.
//! - A sample is the host's work and the device's, until the device is done. Samples of a row's variants take turns;
//!   a ratio is the median of the ratios of samples beside each other, so that a machine's moods are on both sides.
//!
//! Forward and backward are what a network's training does with an activation in its middle: x and the parameters
//! are tracked, all gradients are taken, y stays, and the gradient of y is there already ([`Seed`]). Between the two
//! passes, and wherever else a network has other layers, fusion is made to launch what it holds back ([`drain`]), or
//! it would make one kernel of both passes, with y computed and dy read in one place; no training could.

mod calls;
mod subject;

use burn::backend::{Cube, DispatchDevice, TensorMetadata};
use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use burn_cubecl::{CubeBackend, CubeDevice};
use calls::host;
use nonlin::Chain;
use std::error::Error;
use std::time::Duration;
use subject::{Data, Kind, Pass, ROWS, Row, Subject, Variant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the package is made for; its manifest asks for exactly this.
const BURN: &str = "0.22.1";

/// The most channels that x has.
const CHANNELS: usize = 256;

/// The most elements beside each other that a channel has.
const INNER: usize = 2048;

/// Untimed samples of each variant: the first ones compile, and teach fusion.
const WARM_UP: usize = 2;

/// How long a sample should take at least; work that takes less is done several times in it.
const SAMPLE: Duration = Duration::from_millis(5);

/// Makes fusion launch what it holds back. Nothing is submitted, and nothing waited for: it is what the next matrix
/// product does to the operations before it.
#[cfg(feature = "fusion")]
fn drain(device: &CubeDevice) {
    burn::backend::fusion::get_client::<CubeBackend>(device).sync(|| ());
}

/// Nothing is held back without fusion.
fn launched(_device: &CubeDevice) {}

#[cfg(not(feature = "fusion"))]
use launched as drain;

/// The middle, the least and the greatest.
struct Spread {
    median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        };
        Spread {
            median,
            least: values[0],
            greatest: values[values.len() - 1],
        }
    }

    fn show(&self, digits: usize) -> String {
        let Spread {
            median,
            least,
            greatest,
        } = self;
        format!("{median:.digits$} ({least:.digits$} to {greatest:.digits$})")
    }
}

/// The largest difference of two results, relative to the largest magnitude; NaN where only one has it.
fn difference(got: &[f32], want: &[f32]) -> f32 {
    let largest = want
        .iter()
        .fold(f32::MIN_POSITIVE, |max, v| max.max(v.abs()));
    let differences = got.iter().zip(want).map(|(got, want)| (got - want).abs());
    let worst = differences.fold(
        0.0,
        |max: f32, d| if d > max || d.is_nan() { d } else { max },
    );
    worst / largest
}

/// Refuses to time what does not compute the same. Tells the largest difference.
fn compare(row: &Row, pass: Pass, variants: &[&dyn Variant]) -> Result<f32> {
    let mut worst = 0.0f32;
    let mut first: Option<Vec<Vec<f32>>> = None;
    for variant in variants {
        let results = variant.results(pass)?;
        let Some(first) = &first else {
            first = Some(results);
            continue;
        };
        for (index, (got, want)) in results.iter().zip(first).enumerate() {
            let difference = difference(got, want);
            let same = got.len() == want.len() && difference <= row.tolerance;
            if !same {
                let what = match index {
                    0 => "y".to_owned(),
                    1 => "the gradient of x".to_owned(),
                    _ => format!("the gradient of operand {}", index - 1),
                };
                return Err(format!("{}: {what} differs by {difference:e}", row.name).into());
            }
            worst = worst.max(difference);
        }
    }
    Ok(worst)
}

/// One table: every row in one pass.
fn table(
    settings: &Settings,
    pass: Pass,
    fused: &Data<Cube>,
    plain: &Data<CubeBackend>,
) -> Result<()> {
    let rows = ROWS.iter().filter(|row| settings.wants(row.name));
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    match pass {
        Pass::Forward => println!("\n### Forward\n"),
        Pass::Both => println!("\n### Forward and backward\n"),
    }
    println!(
        "| ns per element | copy | nonlin, fusion on | burn, fusion on | burn : nonlin | nonlin, fusion off \
         | burn, fusion off | burn : nonlin | differ by |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let elements = fused.x.shape().num_elements() as f64;
    let copy = Subject::new(plain, Kind::Relu, Some("identity".parse()?));
    for row in rows {
        let chain: Chain = row.chain.parse()?;
        let ours = Some(chain);
        let variants: [&dyn Variant; 5] = [
            &copy,
            &Subject::new(fused, row.kind, ours.clone()),
            &Subject::new(fused, row.kind, None),
            &Subject::new(plain, row.kind, ours),
            &Subject::new(plain, row.kind, None),
        ];
        let differ = compare(row, pass, &variants[1..])?;
        for _ in 0..WARM_UP {
            for variant in variants {
                variant.sample(pass, 1)?;
            }
        }
        let once = copy.sample(pass, 1)?.as_secs_f64();
        let repeats = (SAMPLE.as_secs_f64() / once).ceil().clamp(1.0, 1000.0) as u32;
        let mut times = [const { Vec::new() }; 5];
        for _ in 0..settings.samples {
            for (variant, times) in variants.iter().zip(&mut times) {
                let time = variant.sample(pass, repeats)?;
                times.push(time.as_secs_f64() * 1e9 / elements);
            }
        }
        let ratio = |burn: usize, ours: usize| {
            let pairs = times[burn].iter().zip(&times[ours]);
            Spread::of(pairs.map(|(burn, ours)| burn / ours).collect()).median
        };
        let (on, off) = (ratio(2, 1), ratio(4, 3));
        let [copy, ours_on, burn_on, ours_off, burn_off] = times.map(Spread::of);
        println!(
            "| {} | {:.2} | {} | {} | {on:.2} | {} | {} | {off:.2} | {differ:.0e} |",
            row.name,
            copy.median,
            ours_on.show(2),
            burn_on.show(2),
            ours_off.show(2),
            burn_off.show(2),
        );
    }
    Ok(())
}

struct Settings {
    elements: usize,
    samples: usize,
    filters: Vec<String>,
}

impl Settings {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut settings = Settings {
            elements: 1 << 24,
            samples: 11,
            filters: Vec::new(),
        };
        while let Some(arg) = args.next() {
            let mut number = || -> Result<usize> {
                let value = args.next().and_then(|value| value.parse().ok());
                let value = value.filter(|value| *value > 0);
                Ok(value.ok_or_else(|| format!("{arg} needs a number above 0"))?)
            };
            match arg.as_str() {
                "--elements" => settings.elements = number()?,
                "--samples" => settings.samples = number()?,
                // Cargo says so to every bench.
                "--bench" => {}
                flag if flag.starts_with('-') => {
                    return Err(format!("{flag}: there are --elements N and --samples N").into());
                }
                _ => settings.filters.push(arg),
            }
        }
        Ok(settings)
    }

    fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }

    /// Samples, channels and elements beside each other: at most as many elements as asked for.
    fn shape(&self) -> [usize; 3] {
        let channels = CHANNELS.min(self.elements);
        let inner = INNER.min(self.elements / channels);
        [self.elements / (channels * inner), channels, inner]
    }
}

/// burn's device on the adapter that `WGPU_ADAPTER_NAME` names, or on the best one, with what burn itself would ask
/// for; but experimental features need `unsafe`.
fn open() -> Result<(Device, CubeDevice)> {
    let wanted = std::env::var("WGPU_ADAPTER_NAME").unwrap_or_default();
    let wanted = wanted.to_lowercase();
    let mut infos = nonlin::adapters().into_iter().map(|found| found.get_info());
    let info = infos
        .find(|info| nonlin::describe(info).to_lowercase().contains(&wanted))
        .ok_or("there is no such adapter")?;
    println!("{}", nonlin::describe(&info));
    let descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let adapter = adapters
        .into_iter()
        .find(|adapter| adapter.get_info() == info)
        .ok_or("the adapter is gone")?;
    let left_out =
        wgpu::Features::MAPPABLE_PRIMARY_BUFFERS.union(wgpu::Features::all_experimental_mask());
    let request = adapter.request_device(&wgpu::DeviceDescriptor {
        required_features: adapter.features().difference(left_out),
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..Default::default()
    });
    let (device, queue) = pollster::block_on(request)?;
    let setup = WgpuSetup {
        instance,
        adapter,
        device,
        queue,
        backend: info.backend,
    };
    let device = Device::wgpu_options().setup(setup).init()?;
    let cube = match device.as_dispatch() {
        DispatchDevice::Cube(cube) => cube.clone(),
        other => return Err(format!("{other:?} is no device of CubeCL").into()),
    };
    Ok((device, cube))
}

fn main() -> Result<()> {
    if cfg!(not(feature = "fusion")) {
        return Err("both sides are burn without fusion: build with the feature `fusion`".into());
    }
    let settings = Settings::read(std::env::args().skip(1))?;
    if !ROWS.iter().any(|row| settings.wants(row.name)) && !settings.wants("host") {
        let names = ROWS.iter().map(|row| row.name).collect::<Vec<_>>();
        return Err(format!("there are {} and host", names.join("; ")).into());
    }
    let (device, cube) = open()?;
    let shape = settings.shape();
    let [samples, channels, inner] = shape;
    println!(
        "burn {BURN}; {} f32, {samples} x {channels} x {inner}; medians of {} samples taken in turns (least to \
         greatest)",
        samples * channels * inner,
        settings.samples
    );
    let fused = Data::<Cube>::new(&cube, drain, shape);
    let plain = Data::<CubeBackend>::new(&cube, launched, shape);
    for pass in [Pass::Forward, Pass::Both] {
        table(&settings, pass, &fused, &plain)?;
    }
    if settings.wants("host") {
        host(&settings, &device, &cube)?;
    }
    Ok(())
}
