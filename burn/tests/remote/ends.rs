//! What goes wrong is an error, in time: servers that go away, that do not know nonlin, that are asked for nonsense.

use crate::common::{Result, tensor, values};
use crate::{Trial, bits, device, parallel_example, same, start, start_plain};
use burn::backend::DispatchDevice;
use burn::remote::{ConnectError, CustomOpClient, RemoteHost};
use burn::tensor::{Device, Tensor};
use burn_remote::ir::{CustomOpIr, ScalarIr};
use nonlin_burn::{Error, Fused, functions};

fn numbers(device: &Device) -> Tensor<1> {
    tensor(&values(64, 1), [64], device)
}

/// A read that fails, with burn's error.
fn fails(what: &str, tensor: Tensor<1>) -> Result<String> {
    match tensor.try_into_data() {
        Ok(_) => Err(format!("{what}: there was an answer").into()),
        Err(error) => Ok(error.to_string()),
    }
}

/// Before a read and between two; what is asked afterwards fails too, and another server is none the worse.
fn killed(_: &Device, adapter: &str) -> Result {
    let (mut server, other) = (start(adapter)?, start(adapter)?);
    let (there, elsewhere) = (device(&server, 0)?, device(&other, 0)?);
    let x = numbers(&there);
    bits(functions::mish(x.clone()))?;
    let y = functions::mish(x.clone());
    server.kill()?;
    fails("queued before", y)?;
    fails("queued behind", functions::silu(x.clone()))?;
    fails("a new tensor", functions::silu(numbers(&there)))?;
    let moved = functions::silu(x).to_device(&elsewhere);
    fails("moved", moved)?;
    Ok(())
}

/// Under autodiff too.
fn killed_in_training(_: &Device, adapter: &str) -> Result {
    let (one, mut other) = (start(adapter)?, start(adapter)?);
    let devices = [device(&one, 0)?, device(&other, 0)?];
    let kill = |step| {
        if step == 2 {
            other.kill().expect("it is running");
        }
    };
    match parallel_example::train(&devices, 4, kill) {
        Ok(_) => Err("it trained without one of its servers".into()),
        Err(lost) if lost.replica == 1 && lost.step == 2 => Ok(()),
        Err(lost) => Err(lost.to_string().into()),
    }
}

/// A server that is not there.
fn not_there(_: &Device, adapter: &str) -> Result {
    let mut server = start(adapter)?;
    server.kill()?;
    let host = RemoteHost::websocket(server.url());
    match Device::remote_options(&host).init() {
        Err(ConnectError::Unreachable { .. }) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// A server of burn's that has not been told of nonlin ends the session.
fn not_told(_: &Device, adapter: &str) -> Result {
    let server = start_plain(adapter)?;
    let there = device(&server, 0)?;
    let x = numbers(&there);
    same("a tensor", &bits(x.clone())?, &bits(x.clone())?)?;
    fails("a pass", functions::mish(x)).map(|_| ())
}

/// An operation of nonlin's that is none ends its session, and no other.
fn nonsense(here: &Device, adapter: &str) -> Result {
    let local = bits(functions::mish(numbers(here)))?;
    // No text; a text that is cut short; a chain that there is not; a chain without its tensors.
    let word = |text: &str| {
        let mut bytes = [0; 8];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        [text.len() as u64, u64::from_le_bytes(bytes)]
    };
    let [length, silu] = word("silu");
    let [_, silo] = word("silo");
    for numbers_of in [
        vec![0, 0, 0, 0],
        vec![0, 0, 0, 0, 100, silu],
        vec![0, 0, 0, 0, length, silo],
        vec![0, 0, 0, 0, length, silu],
    ] {
        let server = start(adapter)?;
        let (first, second) = (device(&server, 0)?, device(&server, 1)?);
        let DispatchDevice::Remote(remote) = first.as_dispatch() else {
            return Err("the device is remote".into());
        };
        let scalars = numbers_of.into_iter().map(ScalarIr::UInt).collect();
        let nothing = CustomOpIr::with_scalars("nonlin::chain_forward", &[], &[], scalars);
        CustomOpClient::new(remote).register(nothing);
        fails("nonsense", numbers(&first))?;
        let there = bits(functions::mish(numbers(&second)))?;
        same("another session", &there, &local)?;
    }
    Ok(())
}

/// What is wrong with operands is found before anything is sent, and is the error that it is on a device of this process's.
fn refused(here: &Device, adapter: &str) -> Result {
    let server = start(adapter)?;
    let there = device(&server, 0)?;
    let both = |of: &dyn Fn(&Device) -> std::result::Result<Tensor<1>, Error>| -> Result {
        match (of(here), of(&there)) {
            (Err(one), Err(other)) if one == other => Ok(()),
            (one, other) => Err(format!("{:?} here, {:?} there", one.err(), other.err()).into()),
        }
    };
    let prelu = || "prelu(weight=@w)".parse().map(Fused::new);
    both(&|device| prelu()?.forward(numbers(device)))?;
    both(&|device| {
        prelu()?
            .operand("w", numbers(device).slice(0..5))
            .forward(numbers(device))
    })?;
    both(&|device| {
        let fused = prelu()?
            .operand("w", numbers(device))
            .operand("v", numbers(device));
        fused.forward(numbers(device))
    })?;
    let apart = prelu()?
        .operand("w", numbers(here))
        .forward(numbers(&there));
    match apart {
        Err(Error::OtherDevice { .. }) => Ok(()),
        other => Err(format!("{:?}", other.err()).into()),
    }
}

pub(crate) const TRIALS: [(&str, Trial); 6] = [
    ("ends::killed", killed),
    ("ends::killed_in_training", killed_in_training),
    ("ends::not_there", not_there),
    ("ends::not_told", not_told),
    ("ends::nonsense", nonsense),
    ("ends::refused", refused),
];
