//! The host's work: what calls cost until they return.

use crate::subject::{Data, Kind, Pass, ROWS, Subject, values};
use crate::{Result, Settings, Spread, WARM_UP, drain, launched};
use burn::backend::Cube;
use burn::tensor::{Device, Tensor, TensorData, activation};
use burn_cubecl::{CubeBackend, CubeDevice};
use nonlin::Chain;
use nonlin_burn::{NonlinOps, functions};
use std::time::{Duration, Instant};

/// Elements of the tensors that the host's work is measured on.
const SMALL: usize = 1024;

/// Calls without waiting: fewer than cubecl queues before it looks after the device.
const BURST: usize = 200;

/// Bursts for each sample of the other tables.
const BURSTS: usize = 5;

/// What the host pays for calls.
trait Calls {
    /// The time that calls take to return, and until the device is done with all of them.
    fn burst(&self) -> Result<[Duration; 2]>;
}

fn burst<T>(
    call: impl Fn() -> Result<T>,
    drain: impl Fn(),
    sync: impl Fn() -> Result<()>,
) -> Result<[Duration; 2]> {
    sync()?;
    // Results stay, as those of a network's layers do.
    let mut kept = Vec::with_capacity(BURST);
    let start = Instant::now();
    for _ in 0..BURST {
        kept.push(call()?);
        drain();
    }
    let returned = start.elapsed();
    sync()?;
    let done = start.elapsed();
    drop(kept);
    Ok([returned, done])
}

impl<B: NonlinOps<Device = CubeDevice>> Calls for Subject<B> {
    fn burst(&self) -> Result<[Duration; 2]> {
        burst(
            || self.run(Pass::Forward),
            || (self.data.drain)(&self.data.device),
            || Ok(B::sync(&self.data.device)?),
        )
    }
}

/// Calls as users write them.
struct Users {
    device: Device,
    cube: CubeDevice,
    x: Tensor<3>,
    call: fn(Tensor<3>) -> Result<Tensor<3>>,
}

impl Calls for Users {
    fn burst(&self) -> Result<[Duration; 2]> {
        burst(
            || (self.call)(self.x.clone()),
            || drain(&self.cube),
            || Ok(self.device.sync()?),
        )
    }
}

pub(crate) fn host(settings: &Settings, device: &Device, cube: &CubeDevice) -> Result<()> {
    let shape = [1, 1, SMALL];
    let fused = Data::<Cube>::new(cube, drain, shape);
    let plain = Data::<CubeBackend>::new(cube, launched, shape);
    let x = Tensor::<3>::from_data(TensorData::new(values(SMALL, 1, -4.0, 4.0), shape), device);
    println!(
        "\n### The host's work: {BURST} calls on {SMALL} elements, forward; us per call until it returns \
         / until all are done\n"
    );
    println!(
        "| | nonlin, fusion on | burn, fusion on | nonlin, fusion off | burn, fusion off | nonlin's function \
         | burn's function |"
    );
    println!("|---|---|---|---|---|---|---|");
    type Call = fn(Tensor<3>) -> Result<Tensor<3>>;
    let users: [(Kind, Call, Call); 3] = [
        (
            Kind::Relu,
            |x| Ok(functions::relu(x)),
            |x| Ok(activation::relu(x)),
        ),
        (
            Kind::Silu,
            |x| Ok(functions::silu(x)),
            |x| Ok(activation::silu(x)),
        ),
        (
            Kind::ScaledSilu,
            |x| {
                let chain = Chain::new()
                    .scale(0.5)
                    .act(nonlin::Activation::Silu)
                    .scale(2.0);
                Ok(nonlin_burn::activation(&chain, x)?)
            },
            |x| Ok(activation::silu(x * 0.5) * 2.0),
        ),
    ];
    for (kind, ours, burns) in users {
        let row = ROWS.iter().find(|row| row.kind == kind);
        let row = row.ok_or("every kind has a row")?;
        let chain: Chain = row.chain.parse()?;
        let user = |call| Users {
            device: device.clone(),
            cube: cube.clone(),
            x: x.clone(),
            call,
        };
        let all: [&dyn Calls; 6] = [
            &Subject::new(&fused, kind, Some(chain.clone())),
            &Subject::new(&fused, kind, None),
            &Subject::new(&plain, kind, Some(chain)),
            &Subject::new(&plain, kind, None),
            &user(ours),
            &user(burns),
        ];
        let mut times = [const { [const { Vec::new() }; 2] }; 6];
        for sample in 0..WARM_UP + BURSTS * settings.samples {
            for (calls, times) in all.iter().zip(&mut times) {
                let burst = calls.burst()?;
                if sample < WARM_UP {
                    continue;
                }
                for (times, time) in times.iter_mut().zip(burst) {
                    times.push(time.as_secs_f64() * 1e6 / BURST as f64);
                }
            }
        }
        print!("| {} |", row.name);
        for times in times {
            let [returned, done] = times.map(Spread::of);
            print!(" {} / {:.1} |", returned.show(1), done.median);
        }
        println!();
    }
    Ok(())
}
