//! A device that is lost, and memory that is not there, give typed errors: nothing panics, and nothing waits for ever.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;

use libtest_mimic::Failed;
use nonlin::layers::{Frelu, Images, Layer, Parameters};
use nonlin::wgpu;
use nonlin::{Chain, DType, DeviceError, Error, Gpu, Operand, Operands, Pass, Values, describe};
use std::sync::mpsc;
use std::time::Duration;

fn main() {
    common::main(|trials| {
        trials.add("lost_before_anything", lost_before_anything);
        trials.add("lost_with_kernels", lost_with_kernels);
        trials.add("lost_while_waiting", lost_while_waiting);
        trials.add("lost_and_bound", lost_and_bound);
        trials.add("more_than_a_buffer", more_than_a_buffer);
    });
}

/// A device of the test's own on the same adapter.
fn another(gpu: &Gpu) -> Result<Gpu, Failed> {
    Ok(Gpu::with_adapter(&describe(&gpu.device().adapter_info()))?)
}

/// What `work` gives, on a thread of its own: one that waits for ever fails the test instead of keeping it.
fn within_a_minute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failed> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || _ = sender.send(work()));
    let given = receiver.recv_timeout(Duration::from_secs(60));
    given.map_err(|_| "it panicked, or still waits".into())
}

fn is_refused<T>(what: &str, result: Result<T, Error>) -> Result<(), Failed> {
    match result {
        Err(Error::Device(DeviceError::Refused { message, .. })) if !message.is_empty() => Ok(()),
        Err(other) => Err(format!("{what}: {other:?}").into()),
        Ok(_) => Err(format!("{what}: a lost device gave a result").into()),
    }
}

/// Everything that the door for slices does.
fn all_are_refused(gpu: Gpu) -> Result<(), Failed> {
    let silu: Chain = "silu".parse()?;
    let prelu: Chain = "prelu(weight=@w)".parse()?;
    let softmax: Chain = "softmax".parse()?;
    let layer = Layer::from(Frelu {
        norm: None,
        ..Frelu::default()
    });
    let images = Images::nchw(1, 1, 2, 2);
    let parameters = Parameters::new().with("weight", &[0.25f32; 9]);
    let x = [1.0f32, -2.0, 3.0, -4.0];
    let values = Values::new().arg("w", &[0.25f32]);
    is_refused("forward", gpu.forward(&silu, &x))?;
    is_refused("backward", gpu.backward(&silu, &x, &x))?;
    is_refused("with", gpu.forward_with(&prelu, &x, &values))?;
    let gradients = gpu.backward_with(&prelu, &x, &x, &values, &["w"]);
    is_refused("gradients", gradients)?;
    is_refused("rows", gpu.forward(&softmax, &x))?;
    let run = gpu.layer_forward(&layer, &images, &parameters, &x);
    is_refused("layer", run)?;
    let run = gpu.layer_backward(&layer, &images, &parameters, &x, &x);
    is_refused("layer backward", run)
}

fn lost_before_anything(gpu: &Gpu) -> Result<(), Failed> {
    let gpu = another(gpu)?;
    gpu.device().destroy();
    within_a_minute(move || all_are_refused(gpu))?
}

fn lost_with_kernels(gpu: &Gpu) -> Result<(), Failed> {
    let gpu = another(gpu)?;
    gpu.forward(&"silu".parse()?, &[1.0f32])?;
    gpu.device().destroy();
    within_a_minute(move || all_are_refused(gpu))?
}

/// Another thread destroys the device while one uses it, at moments that differ: each call gives all of its result, or an
/// error.
fn lost_while_waiting(gpu: &Gpu) -> Result<(), Failed> {
    (20..36).try_for_each(|milliseconds| lost_after(gpu, Duration::from_millis(milliseconds)))
}

fn lost_after(gpu: &Gpu, delay: Duration) -> Result<(), Failed> {
    let gpu = another(gpu)?;
    let chain: Chain = "mish".parse()?;
    let x = vec![0.5f32; 1 << 12];
    let right = gpu.forward(&chain, &x)?;
    let device = gpu.device().clone();
    within_a_minute(move || {
        std::thread::spawn(move || {
            std::thread::sleep(delay);
            device.destroy();
        });
        loop {
            match gpu.forward(&chain, &x) {
                Ok(y) if y == right => {}
                Ok(_) => return Err(Failed::from("a wrong result")),
                Err(error) => return is_refused("forward", Err::<(), _>(error)),
            }
        }
    })?
}

/// Plans and what is bound: wgpu refuses what records them, on its own account; nothing here panics.
fn lost_and_bound(gpu: &Gpu) -> Result<(), Failed> {
    let gpu = another(gpu)?;
    let plan = gpu
        .kernels()
        .plan(&"silu".parse()?, Pass::Forward, DType::F32)?;
    let [x, y] = [0, 1].map(|_| common::upload(&gpu, &[0; 64]));
    let bind = || {
        let operands = Operands::new().x(Operand::new(&x, 0, 64));
        plan.bind(operands.y(Operand::new(&y, 0, 64)))
    };
    let bound = bind()?;
    gpu.device().destroy();
    let (sender, receiver) = mpsc::channel();
    gpu.device()
        .on_uncaptured_error(std::sync::Arc::new(move |error: wgpu::Error| {
            _ = sender.send(error.to_string());
        }));
    common::submit(&gpu, |pass| bound.record(pass));
    _ = receiver.try_recv();
    // What is bound afterwards may be refused at once, or be of no use.
    match bind() {
        Ok(_) | Err(Error::Device(DeviceError::Refused { .. })) => Ok(()),
        Err(other) => Err(format!("{other:?}").into()),
    }
}

/// More than the largest buffer that a device allows is told with both numbers.
fn more_than_a_buffer(gpu: &Gpu) -> Result<(), Failed> {
    let adapter = nonlin::adapters()
        .into_iter()
        .find(|a| describe(&a.get_info()) == describe(&gpu.device().adapter_info()))
        .ok_or("the adapter is gone")?;
    let request = adapter.request_device(&wgpu::DeviceDescriptor {
        required_limits: wgpu::Limits {
            max_buffer_size: 1 << 16,
            max_storage_buffer_binding_size: 1 << 16,
            ..adapter.limits()
        },
        ..Default::default()
    });
    let (device, queue) = pollster::block_on(request)?;
    let small = Gpu::from_device(device, queue);
    let x = vec![1.0f32; 1 << 15];
    let values = Values::new().arg("w", &[0.25f32]);
    match small.forward_with(&"prelu(weight=@w)".parse()?, &x, &values) {
        Err(Error::Device(DeviceError::TooLarge {
            bytes: 131_072,
            limit: 65_536,
            ..
        })) => Ok(()),
        other => Err(format!("{:?}", other.map(|y| y.len())).into()),
    }
}
