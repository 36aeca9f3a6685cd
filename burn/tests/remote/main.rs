//! nonlin on devices of other processes: what comes of every pass is, bit for bit, what comes of it on a device of this
//! process's on the same adapter, and a server that goes away is an error.

#[expect(dead_code, reason = "what other tests need of it")]
#[path = "../burn/common.rs"]
mod common;
mod ends;
#[expect(dead_code, reason = "the example's main")]
#[path = "../../examples/burn_data_parallel.rs"]
mod parallel_example;
mod passes;
#[expect(dead_code, reason = "the example's main")]
#[path = "../../examples/burn_remote.rs"]
mod remote_example;

use burn::server::RemoteServer;
use burn::tensor::{Device, Tensor};
use common::{Result, Trials};
use remote_example::Server;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

/// Names the adapter of a process that is a server.
const SERVE: &str = "NONLIN_TEST_SERVE";

/// As [`SERVE`], of a server that does not know nonlin's passes.
const PLAIN: &str = "NONLIN_TEST_SERVE_PLAIN";

/// A server on an adapter, with two devices.
pub(crate) fn start(adapter: &str) -> Result<Server> {
    spawn(SERVE, adapter)
}

/// A server of burn's that has not been told of nonlin.
pub(crate) fn start_plain(adapter: &str) -> Result<Server> {
    spawn(PLAIN, adapter)
}

fn spawn(variable: &str, adapter: &str) -> Result<Server> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env_remove(SERVE).env_remove(PLAIN);
    let server = Server::start(command.env(variable, adapter));
    server.map_err(|error| error.to_string().into())
}

pub(crate) fn device(server: &Server, index: usize) -> Result<Device> {
    server
        .device(index)
        .map_err(|error| error.to_string().into())
}

/// A tensor's bits, or burn's error.
pub(crate) fn bits<const D: usize>(tensor: Tensor<D>) -> Result<Vec<u32>> {
    let data = tensor.try_into_data()?.convert::<f32>();
    let values = data
        .try_into_vec::<f32>()
        .map_err(|error| format!("{error:?}"))?;
    Ok(values.iter().map(|value| value.to_bits()).collect())
}

/// Equal bit for bit.
pub(crate) fn same(what: &str, got: &[u32], want: &[u32]) -> Result {
    if got.len() != want.len() {
        return Err(format!("{what}: {} elements, not {}", got.len(), want.len()).into());
    }
    match got.iter().zip(want).position(|(got, want)| got != want) {
        Some(at) => {
            let value = |bits: &[u32]| f32::from_bits(bits[at]);
            Err(format!("{what}[{at}]: {:e}, not {:e}", value(got), value(want)).into())
        }
        None => Ok(()),
    }
}

/// Much more than any of it takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is tried with a device of this process's and servers on its adapter.
pub(crate) type Trial = fn(&Device, &str) -> Result;

/// What it comes to, if it comes to an end. A panic is an end too, and a failure.
fn in_time(trial: Trial, device: &Device, adapter: &str) -> Result {
    let (device, adapter) = (device.clone(), adapter.to_owned());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(trial(&device, &adapter)));
    match receiver.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => Err("it hangs".into()),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err("it panicked".into()),
    }
}

/// Serves, and does not return.
fn serve(adapter: &str, is_plain: bool) -> ! {
    let devices = || {
        Ok::<_, libtest_mimic::Failed>(vec![
            common::another(adapter)?.0,
            common::another(adapter)?.0,
        ])
    };
    let served = devices().and_then(|devices| {
        let server = RemoteServer::new(devices);
        let served = remote_example::serve(match is_plain {
            true => server,
            false => nonlin_burn::serving(server),
        });
        served.map_err(|error| error.to_string().into())
    });
    match served {
        Ok(()) => std::process::exit(0),
        Err(error) => {
            eprintln!("{}", error.message().unwrap_or("it does not serve"));
            std::process::exit(1)
        }
    }
}

fn main() -> ! {
    for (variable, is_plain) in [(SERVE, false), (PLAIN, true)] {
        if let Ok(adapter) = std::env::var(variable) {
            serve(&adapter, is_plain);
        }
    }
    common::main(false, |on: &mut Trials| {
        // Two ways to launch kernels make no difference to what goes between processes.
        if on.adapter().ends_with(common::SHARED) {
            return;
        }
        for (name, trial) in passes::TRIALS.into_iter().chain(ends::TRIALS) {
            let adapter = on.adapter().to_owned();
            on.add(name, move |device| in_time(trial, device, &adapter));
        }
    })
}
