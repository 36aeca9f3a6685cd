//! Every mistake is a typed error that names the tensor and the numbers, and nothing panics but what says so.

use crate::common::{self, Result, Trials, host, near, tensor, values};
use burn::tensor::{DType, Device, Tensor};
use nonlin::{ChainError, OperandError};
use nonlin_burn::modules::{ChainedConfig, FreluConfig, GluConfig, PreluConfig};
use nonlin_burn::{Error, Fused};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn refused<T>(result: std::result::Result<T, Error>, text: &str) -> Result<Error> {
    match result {
        Ok(_) => Err("it was accepted".into()),
        Err(error) if error.to_string().contains(text) => Ok(error),
        Err(error) => Err(format!("\"{error}\" has no \"{text}\"").into()),
    }
}

fn of(chain: &str) -> Result<Fused> {
    Ok(Fused::new(chain.parse()?))
}

fn errors(device: &Device) -> Result {
    let x: Tensor<3> = tensor(&values(24, 1), [2, 3, 4], device);
    let vector =
        |len: usize, device: &Device| -> Tensor<1> { tensor(&values(len, 2), [len], device) };
    let w = |len| vector(len, device);

    let error = refused(of("prelu(weight=@w)")?.forward(x.clone()), "@w")?;
    assert!(
        matches!(
            error,
            Error::Nonlin(nonlin::Error::Operand(OperandError::Missing { .. }))
        ),
        "{error:?}"
    );
    let unknown = of("silu")?.operand("w", w(3)).forward(x.clone());
    let error = refused(unknown, "@w")?;
    assert!(
        matches!(
            error,
            Error::Nonlin(nonlin::Error::Operand(OperandError::Unexpected { .. }))
        ),
        "{error:?}"
    );
    let long = of("prelu(weight=@w)")?
        .operand("w", w(5))
        .forward(x.clone());
    let error = refused(long, "5")?;
    assert!(
        matches!(
            error,
            Error::Nonlin(nonlin::Error::Operand(OperandError::BadLength { .. }))
        ),
        "{error:?}"
    );
    let gate = of("silu | gate(@g)")?.operand("g", w(5)).forward(x.clone());
    let error = refused(gate, "5")?;
    assert!(
        matches!(
            error,
            Error::Nonlin(nonlin::Error::Operand(OperandError::BadLength { .. }))
        ),
        "{error:?}"
    );
    let turned: Tensor<3> = tensor(&values(24, 3), [3, 2, 4], device);
    let error = refused(
        of("silu | gate(@g)")?
            .operand("g", turned)
            .forward(x.clone()),
        "[3, 2, 4]",
    )?;
    assert!(matches!(error, Error::Shape { .. }), "{error:?}");
    let axis = of("prelu(weight=@w)")?
        .operand("w", w(3))
        .channel_axis(3)
        .forward(x.clone());
    let error = refused(axis, "axis 3")?;
    assert!(
        matches!(error, Error::Axis { rank: 3, axis: 3 }),
        "{error:?}"
    );
    let axis = of("prelu(weight=@w)")?
        .operand("w", w(3))
        .channel_axis(-4)
        .forward(x.clone());
    refused(axis, "axis -4")?;
    let error = refused(Fused::new(nonlin::Chain::new()).forward(x.clone()), "empty")?;
    assert!(
        matches!(
            error,
            Error::Nonlin(nonlin::Error::Chain(ChainError::Empty))
        ),
        "{error:?}"
    );
    let names: Vec<String> = (0..16).map(|index| format!("o{index}")).collect();
    let steps: Vec<String> = names.iter().map(|name| format!("bias(@{name})")).collect();
    let many = names.iter().fold(of(&steps.join(" | "))?, |fused, name| {
        fused.operand(name, w(1))
    });
    let error = refused(many.forward(x.clone()), "16 operands; a call carries 15")?;
    assert!(
        matches!(
            error,
            Error::TooMany {
                operands: 16,
                limit: 15
            }
        ),
        "{error:?}"
    );

    // Another backend: here is no WGSL.
    let cpu: Tensor<3> = tensor(&values(24, 1), [2, 3, 4], &Device::flex());
    let error = refused(of("silu")?.forward(cpu.clone()), "x is on")?;
    assert!(matches!(error, Error::Device { .. }), "{error:?}");
    let mixed = of("silu | gate(@g)")?.operand("g", cpu).forward(x.clone());
    let error = refused(mixed, "@g is on")?;
    assert!(matches!(error, Error::OtherDevice { .. }), "{error:?}");

    // What is tracked has a gradient, or there is no value.
    let tracked = vector(1, &device.clone().autodiff()).require_grad();
    let there = Tensor::<3>::from_data(x.clone().into_data(), &device.clone().autodiff());
    let no_slope = of("hardtanh(min_val=@low)")?
        .operand("low", tracked)
        .forward(there);
    let error = refused(no_slope, "@low")?;
    assert!(matches!(error, Error::NoGradient { .. }), "{error:?}");

    let odd: Tensor<2> = tensor(&values(15, 1), [3, 5], device);
    let error = refused(nonlin_burn::gated(&"silu".parse()?, odd), "[3, 5]")?;
    assert!(matches!(error, Error::Odd { .. }), "{error:?}");
    refused(nonlin_burn::gated(&"scale(@s)".parse()?, x), "@s")?;
    refused(ChainedConfig::new("scale(@s)".into()).init(), "@s")?;
    refused(ChainedConfig::new("silo".into()).init(), "silu")?;
    refused(GluConfig::new().with_chain("".into()).init(), "")?;
    Ok(())
}

/// Modules and functions panic as burn's own do, with the same words.
fn panics(device: &Device) -> Result {
    let told = |run: &dyn Fn()| -> Result<String> {
        let caught = catch_unwind(AssertUnwindSafe(run))
            .err()
            .ok_or("it did not panic")?;
        Ok(caught.downcast_ref::<String>().cloned().unwrap_or_default())
    };
    let x: Tensor<4> = tensor(&values(24, 1), [1, 6, 2, 2], device);
    let prelu = PreluConfig::new().with_num_parameters(5).init(device);
    let message = told(&|| _ = prelu.forward(x.clone()))?;
    assert!(message.contains('5') && message.contains('6'), "{message}");
    let frelu = FreluConfig::new(5).init(device);
    let message = told(&|| _ = frelu.forward(x.clone()))?;
    assert!(
        message.contains("Frelu was made for 5 channels"),
        "{message}"
    );
    let even = FreluConfig::new(6).with_kernel_size([2, 2]).init(device);
    let message = told(&|| _ = even.forward(x.clone()))?;
    assert!(message.contains("kernel"), "{message}");
    let cpu: Tensor<1> = tensor(&[1.0], [1], &Device::flex());
    let message = told(&|| _ = nonlin_burn::functions::silu(cpu.clone()))?;
    assert!(message.contains("takes no kernels in WGSL"), "{message}");
    Ok(())
}

/// f64 on a device that has it is refused by its name.
fn dtypes(device: &Device) -> Result {
    if !device.supports_dtype(DType::F64) {
        return Ok(());
    }
    let x: Tensor<1> = Tensor::<1>::ones([4], device).cast(DType::F64);
    let error = refused(nonlin_burn::activation(&"silu".parse()?, x), "F64")?;
    assert!(matches!(error, Error::DType { .. }), "{error:?}");
    Ok(())
}

/// Where a device binds fewer buffers than a chain has operands, the error has both numbers, and nothing is queued.
fn few_buffers(adapter: &str) -> Result {
    // burn keeps one of them for wgpu's own.
    let device = common::binds(adapter, 8)?;
    let x: Tensor<2> = tensor(&values(24, 1), [6, 4], &device);
    let chain = |count: usize| -> Result<Fused> {
        let steps: Vec<String> = (0..count)
            .map(|index| format!("residual(@o{index})"))
            .collect();
        let chain = of(&steps.join(" | "))?;
        Ok((0..count).fold(chain, |fused, index| {
            fused.operand(&format!("o{index}"), x.clone())
        }))
    };
    let y = host(chain(5)?.forward(x.clone())?)?;
    near("y", &y, &host(x.clone() * 6.0)?, 1e-6)?;
    let error = refused(chain(6)?.forward(x.clone()), "8")?;
    assert!(
        matches!(
            error,
            Error::Nonlin(nonlin::Error::Device(
                nonlin::DeviceError::TooManyOperands {
                    operands: 8,
                    limit: 7
                }
            ))
        ),
        "{error:?}"
    );
    near("again", &host(x.clone() + 1.0)?, &host(x + 1.0)?, 0.0)
}

pub(crate) fn add(on: &mut Trials) {
    let adapter = on.adapter().to_owned();
    if !adapter.ends_with("-shared") {
        on.add("refusals::few_buffers", move |_| few_buffers(&adapter));
    }
    on.add("refusals::errors", errors);
    on.add("refusals::panics", panics);
    on.add("refusals::dtypes", dtypes);
}
