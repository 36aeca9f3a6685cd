//! What the benches with criterion share.

use nonlin::wgpu;
use nonlin::{Bound, Gpu};
use std::time::{Duration, Instant};

/// The time of `count` submits of these, each waited for.
pub(crate) fn time(gpu: &Gpu, bounds: &[Bound], count: u64) -> Duration {
    let device = gpu.device();
    let mut total = Duration::ZERO;
    for _ in 0..count {
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        bounds.iter().for_each(|bound| bound.record(&mut pass));
        drop(pass);
        let start = Instant::now();
        gpu.queue().submit([encoder.finish()]);
        device
            .poll(wgpu::PollType::wait_indefinitely())
            .expect("the device is there");
        total += start.elapsed();
    }
    total
}
