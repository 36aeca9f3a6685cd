//! nonlin's passes on devices of other processes: two servers of burn's, and a client whose tensors, modules and autodiff
//! are as they are on a device of its own.
//!
//! `cargo run -p nonlin-burn --features remote-server,remote-websocket --example burn_remote`
//!
//! starts the servers too, on this machine. `-- serve` is one of them: it says where it is, and ends when what it reads does.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, SgdConfig};
use burn::remote::RemoteHost;
use burn::server::{RemoteServer, WebSocketTransport};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use nonlin_burn::Fused;
use nonlin_burn::modules::{AconC, AconCConfig, Frelu, FreluConfig};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// Serves clients of this machine, on a port of the system's choice: its address is the first line that this writes. Ends
/// with standard input, so that no server outlives whoever started it.
pub(crate) fn serve(server: RemoteServer) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("ws://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    std::thread::spawn(|| {
        // Whatever ends it, ends the server.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    Ok(server.serve(WebSocketTransport::from_listener(listener))?)
}

/// A server in a process of its own, which ends with this value.
pub(crate) struct Server {
    process: Child,
    url: String,
}

impl Server {
    /// Starts a program that calls [`serve`], and waits for its address.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let output = process.stdout.take().ok_or("it writes nothing")?;
        let mut server = Server {
            process,
            url: String::new(),
        };
        let mut output = BufReader::new(output);
        output.read_line(&mut server.url)?;
        server.url = server.url.trim().to_owned();
        if server.url.is_empty() {
            return Err(format!("the server ended: {}", server.process.wait()?).into());
        }
        // Its log, which nobody reads here; it must not wait for that.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Ok(server)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A device of the server's.
    pub(crate) fn device(&self, index: usize) -> Result<Device, Box<dyn Error>> {
        let host = RemoteHost::websocket(&self.url);
        Ok(Device::remote_options(&host).device_index(index).init()?)
    }

    /// Ends the process at once, as a machine that fails.
    pub(crate) fn kill(&mut self) -> std::io::Result<()> {
        self.process.kill()?;
        self.process.wait().map(|_| ())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.kill();
    }
}

/// A learned activation and a layer.
#[derive(Module, Debug)]
pub(crate) struct Activations {
    acon: AconC,
    frelu: Frelu,
}

/// The loss of each step of a small training, and the parameters at its end.
pub(crate) fn trained(device: &Device, steps: usize) -> Result<Vec<f32>, Box<dyn Error>> {
    let device = &device.clone().autodiff();
    let numbers = |count: usize, shape: [usize; 4]| {
        let values = (0..count).map(|i| ((i * 37 + 11) % 101) as f32 / 25.0 - 2.0);
        Tensor::<4>::from_data(TensorData::new(values.collect(), shape), device)
    };
    let (x, goal) = (
        numbers(2048, [2, 16, 8, 8]),
        numbers(2048, [2, 16, 8, 8]).abs(),
    );
    let mut module = Activations {
        acon: AconCConfig::new().with_num_parameters(16).init(device),
        frelu: FreluConfig::new(16)
            .with_initializer(burn::module::Initializer::Constant { value: 0.05 })
            .init(device),
    };
    let mut optimiser = SgdConfig::new().init();
    let mut all = Vec::new();
    for _ in 0..steps {
        let y = module.frelu.forward(module.acon.forward(x.clone()));
        let loss = (y - goal.clone()).powi_scalar(2).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &module);
        module = optimiser.step(0.1, module, gradients);
        all.extend(loss.inner().try_into_data()?.try_into_vec::<f32>()?);
    }
    let mut parameters = Parameters(Vec::new());
    module.visit(&mut parameters);
    for data in parameters.0 {
        all.extend(data?.try_into_vec::<f32>()?);
    }
    Ok(all)
}

struct Parameters(Vec<Result<TensorData, burn::tensor::ExecutionError>>);

impl ModuleVisitor for Parameters {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().inner().try_into_data());
    }
}

fn client() -> Result<(), Box<dyn Error>> {
    let this = std::env::current_exe()?;
    let start = || Server::start(Command::new(&this).arg("serve"));
    let (one, other) = (start()?, start()?);
    println!("two servers: {} and {}", one.url(), other.url());
    let (first, second) = (one.device(0)?, other.device(0)?);

    let x = Tensor::<2>::random([4, 256], Distribution::Default, &first.clone().autodiff());
    let x = x.require_grad();
    let beta = Tensor::<1>::full([256], 1.5, &first.clone().autodiff()).require_grad();
    let y = Fused::new("scale(0.5) | swish(beta=@beta)".parse()?)
        .operand("beta", beta.clone())
        .forward(x.clone())?;
    let gradients = y.sum().backward();
    let gradient = beta.grad(&gradients).ok_or("beta has a gradient")?;
    println!(
        "the gradient of beta, added up: {}",
        gradient.clone().sum().try_into_data()?
    );
    // From server to server, not through this process.
    let moved = gradient.clone().to_device(&second);
    assert_eq!(moved.try_into_data()?, gradient.try_into_data()?);

    let local = trained(&Device::default(), 5)?;
    for (device, url) in [(&first, one.url()), (&second, other.url())] {
        let there = trained(device, 5)?;
        let equal = local
            .iter()
            .zip(&there)
            .filter(|(a, b)| a.to_bits() == b.to_bits());
        println!(
            "{url}: {} of {} numbers of a training are those of a device here, bit for bit",
            equal.count(),
            local.len()
        );
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => client(),
        ["serve"] => {
            let server = RemoteServer::new([Device::default()]);
            serve(nonlin_burn::serving(server))
        }
        _ => Err("usage: burn_remote [serve]".into()),
    }
}
